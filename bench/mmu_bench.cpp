#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "mmu/x86_tlb.hpp"

// Translations per second: one item is one access of 8 bytes to a random page of 64 MiB, mapped by 4 KiB
// pages. The baseline is a read of the same memory by its physical address.
namespace hyperstep::mmu {
namespace {

constexpr std::uint64_t data_bytes = 64ULL << 20;
constexpr std::uint64_t first_data = 128ULL << 20;
constexpr std::uint64_t linear_base = 0xffff'8880'0000'0000;
constexpr ContextNumber context = 1;

/// Page tables for all of it.
struct Mapped {
    Mapped() {
        static_cast<void>(memory.add_ram(Hpa{0}, first_data + data_bytes));
        paging.mode = PagingMode::level_4;
        paging.cr3 = 0x1000;
        paging.nxe = paging.wp = paging.smep = paging.smap = true;
        constexpr std::uint64_t present_writable = 3;
        const auto index = [](unsigned low) { return 8 * (linear_base >> low & 0x1ff); };
        memory.write(Hpa{0x1000 + index(39)}, 8, 0x2000 | present_writable);
        memory.write(Hpa{0x2000 + index(30)}, 8, 0x3000 | present_writable);
        for (std::uint64_t page = 0; page < data_bytes >> 12; ++page) {
            const std::uint64_t table = 0x100000 + (page >> 9 << 12);
            memory.write(Hpa{0x3000 + 8 * (page >> 9)}, 8, table | present_writable);
            memory.write(Hpa{table + 8 * (page & 0x1ff)}, 8, (first_data + (page << 12)) | present_writable);
            memory.write(Hpa{first_data + (page << 12)}, 8, page);
        }
        std::mt19937_64 random{1};  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in each run
        for (std::uint64_t& offset : offsets) offset = random() % (data_bytes / 8) * 8;
    }
    Gva linear(std::size_t i) const { return Gva{linear_base + offsets[i % offsets.size()]}; }

    GuestMemory memory;
    PhysicalView view{memory};
    X86Paging paging;
    std::vector<std::uint64_t> offsets = std::vector<std::uint64_t>(1U << 16);
};

void physical(benchmark::State& run) {
    Mapped mapped;
    std::size_t i = 0;
    while (run.KeepRunning())
        benchmark::DoNotOptimize(
            mapped.memory.read(Hpa{first_data + mapped.offsets[i++ % mapped.offsets.size()]}, 8));
    run.SetItemsProcessed(run.iterations());
}

void walk(benchmark::State& run) {
    Mapped mapped;
    std::size_t i = 0;
    while (run.KeepRunning())
        benchmark::DoNotOptimize(
            translate(mapped.paging, mapped.view, mapped.linear(i++), Access::read, Privilege::supervisor));
    run.SetItemsProcessed(run.iterations());
    run.SetLabel("baseline=mmu/physical");
}

void miss(benchmark::State& run) {
    Mapped mapped;
    const auto tlb = std::make_unique<Tlb>(mapped.memory);
    std::size_t i = 0;
    while (run.KeepRunning()) {
        const Gva linear = mapped.linear(i++);
        const auto page = translate(mapped.paging, mapped.view, linear, Access::write, Privilege::supervisor);
        TlbEntry& entry = remember(*tlb, linear, {context, Privilege::supervisor}, mapped.paging, *page);
        if (entry.write_tag == 0) benchmark::DoNotOptimize(tlb->announce(entry, entry.read_tag));
    }
    run.SetItemsProcessed(run.iterations());
    run.SetLabel("baseline=mmu/physical");
}

/// As many pages as the TLB has entries: every access hits.
void hit(benchmark::State& run) {
    Mapped mapped;
    const auto tlb = std::make_unique<Tlb>(mapped.memory);
    for (std::uint64_t page = 0; page < Tlb::size; ++page) {
        const Gva linear{linear_base + (page << 12)};
        const auto found = translate(mapped.paging, mapped.view, linear, Access::read, Privilege::supervisor);
        remember(*tlb, linear, {context, Privilege::supervisor}, mapped.paging, *found);
    }
    constexpr std::uint64_t within = (Tlb::size << 12) - 1;
    std::size_t i = 0;
    std::uint64_t sum = 0;
    while (run.KeepRunning()) {
        const Gva linear{linear_base + (mapped.offsets[i++ % mapped.offsets.size()] & within)};
        const TlbEntry& entry = tlb->at(linear);
        if (entry.read_tag != Tlb::tag(linear, context)) {
            run.SkipWithError("a miss");
            break;
        }
        sum += std::to_integer<std::uint64_t>(entry.host[linear.page_offset()]);
    }
    benchmark::DoNotOptimize(sum);
    run.SetItemsProcessed(run.iterations());
    run.SetLabel("baseline=mmu/physical");
}

BENCHMARK(physical)->Name("mmu/physical");
BENCHMARK(walk)->Name("mmu/walk_level_4");
BENCHMARK(miss)->Name("mmu/tlb_miss");
BENCHMARK(hit)->Name("mmu/tlb_hit");

}  // namespace
}  // namespace hyperstep::mmu
