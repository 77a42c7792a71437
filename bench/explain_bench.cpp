#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "explain/dump.hpp"
#include "explain/verdict.hpp"

// What a person waits for: bytes of a log read per second, and one dump found and judged.
namespace hyperstep::explain {
namespace {

/// A log as machines write it, with nothing of a dump in it; some MiB, so that it does not fit a cache.
std::string ordinary_log() {
    constexpr std::size_t lines = 40'000;
    std::string log;
    for (std::size_t i = 0; i < lines; ++i) {
        const std::string n = std::to_string(i);
        const std::string second = std::to_string(10 + i % 50);
        switch (i % 5) {
            case 0:
                log += "Jun 24 17:25:" + second + " host sshd[2213]: Accepted publickey for alice port " + n;
                break;
            case 1:
                log += "[ 1234.0" + n + "] usb 1-4: new high-speed USB device number 7 using xhci_hcd";
                break;
            case 2:
                log += "2022-06-24T17:25:" + second + ".123456Z INFO  net::route - link=eth0 metric=" + n;
                break;
            case 3:
                log += "Jun 24 17:25:" + second + " host audit: type=1400 operation=\"open\" pid=" + n;
                break;
            default:
                log += "    at org.example.Server.accept(Server.java:" + n + ") waiting for connections";
                break;
        }
        log += '\n';
    }
    return log;
}

/// KVM's dump of a guest whose entry failed: STI blocks interrupts while RFLAGS.IF is 0.
constexpr std::string_view one_dump = R"(*** Guest State ***
CR0: actual=0x0000000080050033, shadow=0x0000000080050033, gh_mask=fffffffffffffff7
CR4: actual=0x00000000003626f0, shadow=0x00000000003606f0, gh_mask=ffffffffffffe871
CR3 = 0x0000000002a0a000
RSP = 0xffffc90000003e58  RIP = 0xffffffff8103a1c6
RFLAGS=0x00000046         DR7 = 0x0000000000000400
Sysenter RSP=fffffe0000003000 CS:RIP=0010:ffffffff81a01590
CS:   sel=0x0010, attr=0x0a09b, limit=0xffffffff, base=0x0000000000000000
DS:   sel=0x0000, attr=0x1c000, limit=0xffffffff, base=0x0000000000000000
SS:   sel=0x0018, attr=0x0c093, limit=0xffffffff, base=0x0000000000000000
ES:   sel=0x0000, attr=0x1c000, limit=0xffffffff, base=0x0000000000000000
FS:   sel=0x0000, attr=0x1c000, limit=0xffffffff, base=0x0000000000000000
GS:   sel=0x0000, attr=0x1c000, limit=0xffffffff, base=0xffff88803ec00000
GDTR:                           limit=0x0000007f, base=0xfffffe0000001000
LDTR: sel=0x0000, attr=0x1c000, limit=0x000fffff, base=0x0000000000000000
IDTR:                           limit=0x00000fff, base=0xfffffe0000000000
TR:   sel=0x0040, attr=0x0008b, limit=0x0000206f, base=0xfffffe0000003000
EFER= 0x0000000000000d01
PAT = 0x0407050600070106
DebugCtl = 0x0000000000000000  DebugExceptions = 0x0000000000000000
Interruptibility = 00000001  ActivityState = 00000000
*** Host State ***
RIP = 0xffffffffc0a1d2f0  RSP = 0xffffb5b0c0a7bc90
CS=0010 SS=0018 DS=0000 ES=0000 FS=0000 GS=0000 TR=0040
FSBase=00007f2c8d7fa700 GSBase=ffff9a3c7fa80000 TRBase=fffffe0000047000
GDTBase=fffffe0000045000 IDTBase=fffffe0000000000
CR0=0000000080050033 CR3=00000003fd1a4003 CR4=00000000003626e0
Sysenter RSP=fffffe0000047000 CS:RIP=0010:ffffffffa2a01590
EFER = 0x0000000000000d01  PAT = 0x0407050600070106
*** Control State ***
PinBased=0000007f CPUBased=b5a06dfa SecondaryExec=000237eb
EntryControls=0000d1ff ExitControls=002fefff
ExceptionBitmap=00060042 PFECmask=00000000 PFECmatch=00000000
VMEntry: intr_info=00000000 errcode=00000000 ilen=00000000
VMExit: intr_info=00000000 errcode=00000000 ilen=00000001
        reason=80000021 qualification=0000000000000000
IDTVectoring: info=00000000 errcode=00000000
TSC Offset = 0xffffdb6ad1ea7fd2
EPT pointer = 0x000000010a3bf05e
Virtual processor ID = 0x0001
)";

void bytes_of(benchmark::State& run, std::string_view text) {
    run.SetBytesProcessed(run.iterations() * static_cast<std::int64_t>(text.size()));
}

/// What a scanner that finds nothing has to do at least: look for the end of every line.
void find_line_ends(benchmark::State& run) {
    const std::string log = ordinary_log();
    while (run.KeepRunning()) {
        std::size_t lines = 0;
        for (std::size_t at = log.find('\n'); at != std::string::npos; at = log.find('\n', at + 1)) ++lines;
        benchmark::DoNotOptimize(lines);
    }
    bytes_of(run, log);
}

void scan_log(benchmark::State& run) {
    const std::string log = ordinary_log();
    while (run.KeepRunning()) benchmark::DoNotOptimize(find_dumps(log));
    bytes_of(run, log);
    run.SetLabel("baseline=scan/memchr");
}

void scan_dump(benchmark::State& run) {
    while (run.KeepRunning()) benchmark::DoNotOptimize(find_dumps(one_dump));
    bytes_of(run, one_dump);
}

void judge_dump(benchmark::State& run) {
    const std::vector<Dump> dumps = find_dumps(one_dump);
    if (dumps.size() != 1) {
        run.SkipWithError("the dump was not found");
        return;
    }
    while (run.KeepRunning()) benchmark::DoNotOptimize(judge(dumps.front(), vmx::Capabilities{}));
    run.SetLabel("baseline=scan/one_dump");
}

BENCHMARK(find_line_ends)->Name("scan/memchr");
BENCHMARK(scan_log)->Name("scan/ordinary_log");
BENCHMARK(scan_dump)->Name("scan/one_dump");
BENCHMARK(judge_dump)->Name("judge/one_dump");

}  // namespace
}  // namespace hyperstep::explain
