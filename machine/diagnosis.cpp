#include "machine/diagnosis.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <optional>

#include "cpu/decode.hpp"
#include "cpu/execute.hpp"
#include "cpu/translation.hpp"
#include "machine/trace_lines.hpp"

namespace hyperstep::machine {
namespace {

constexpr unsigned longest_instruction = 15;
constexpr unsigned shown_before = 5, shown_from = 6;

std::uint64_t linear_rip(const cpu::Cpu& cpu) {
    const std::uint64_t base = cpu.mode == cpu::Mode::long_64 ? 0 : cpu.state.segment[cpu::cs].base;
    return (base + cpu.state.rip) & cpu.linear_mask;
}

/// Bytes of code from a linear address on, up to where no RAM or ROM is mapped.
std::vector<std::byte> code_at(cpu::Cpu& cpu, std::uint64_t linear, std::uint64_t bytes) {
    std::vector<std::byte> code;
    while (code.size() < bytes) {
        const std::uint64_t at = (linear + code.size()) & cpu.linear_mask;
        const auto physical = cpu::probe(cpu, at);
        if (!physical) break;
        const std::uint64_t here = std::min(bytes - code.size(), 0x1000 - (at & 0xfff));
        std::vector<std::byte> part(static_cast<std::size_t>(here));
        if (!cpu.memory.read_bytes(*physical, part)) break;
        code.insert(code.end(), part.begin(), part.end());
    }
    return code;
}

struct Listing {
    std::vector<Instruction> instructions;
    std::uint64_t end = 0;
};

/// Instructions from `first` on, as long as they begin before `end`, at most `most`.
Listing list_code(cpu::Cpu& cpu, std::uint64_t first, std::uint64_t end, std::size_t most) {
    Listing listing{.instructions = {}, .end = first};
    while (listing.end - first < end - first && listing.instructions.size() < most) {
        const std::vector<std::byte> bytes = code_at(cpu, listing.end, longest_instruction);
        if (bytes.empty()) break;
        unsigned length = 0;
        std::string text = cpu::disassemble(cpu::decode_mode(cpu), bytes, listing.end, length);
        if (length == 0) break;
        listing.instructions.push_back({listing.end, std::move(text), false});
        listing.end = (listing.end + length) & cpu.linear_mask;
    }
    return listing;
}

/// Instructions that lead exactly to RIP: from the symbol's start if it is near, or else from the farthest
/// place that does.
std::vector<Instruction> code_before(cpu::Cpu& cpu, std::uint64_t rip, std::optional<std::uint64_t> start) {
    constexpr std::uint64_t near = 4096, farthest = 40;
    std::vector<std::uint64_t> starts;
    if (start && rip - *start <= near) starts.push_back(*start);
    for (std::uint64_t distance = std::min(farthest, rip); distance > 0; --distance)
        starts.push_back(rip - distance);
    for (const std::uint64_t first : starts) {
        Listing listing = list_code(cpu, first, rip, near);
        const bool is_code = std::none_of(listing.instructions.begin(),
                                          listing.instructions.end(),
                                          [](const Instruction& each) { return each.text == "(bad)"; });
        if (listing.end != rip || !is_code) continue;
        auto& found = listing.instructions;
        const std::size_t extra = found.size() > shown_before ? found.size() - shown_before : 0;
        found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(extra));
        return found;
    }
    return {};
}

std::string_view name_of(cpu::Mode mode) {
    switch (mode) {
        case cpu::Mode::real: return "real mode";
        case cpu::Mode::virtual_8086: return "virtual-8086 mode";
        case cpu::Mode::protected_: return "protected mode";
        case cpu::Mode::compatibility: return "compatibility mode";
        case cpu::Mode::long_64: return "64-bit mode";
    }
    return "";
}

std::string_view name_of(cpu::Activity activity) {
    switch (activity) {
        case cpu::Activity::active: return "active";
        case cpu::Activity::halted: return "in HLT";
        case cpu::Activity::shutdown: return "in shutdown";
        case cpu::Activity::wait_for_sipi: return "waiting for SIPI";
        case cpu::Activity::mwait: return "in MWAIT";
        case cpu::Activity::count: break;
    }
    return "";
}

void add_segment(std::string& to, std::string_view name, const cpu::Segment& segment) {
    fmt::format_to(std::back_inserter(to),
                   "  {:4} {:04x}  base {:016x}  limit {:08x}  rights {:05x}\n",
                   name,
                   segment.selector,
                   segment.base,
                   segment.limit,
                   static_cast<std::uint64_t>(segment.rights.raw));
}

void add_processor(std::string& to, Processor& processor, const Symbols& symbols) {
    const cpu::Cpu& cpu = processor.cpu();
    const std::uint64_t rip = linear_rip(cpu);
    fmt::format_to(std::back_inserter(to),
                   "processor {}: {}, CPL {}, {}, interrupts {}; {} instructions\n",
                   cpu.number,
                   name_of(cpu.mode),
                   cpu.cpl,
                   name_of(cpu.state.activity),
                   cpu.rflags()[cpu::Rflags::if_] ? "enabled" : "disabled",
                   cpu.state.retired);
    if (cpu.state.activity == cpu::Activity::wait_for_sipi) return;
    const auto name = symbols.name_of(rip);
    fmt::format_to(std::back_inserter(to), "at {:#x}{}\n", rip, name ? " " + *name : "");
    for (const Instruction& each : code_around_rip(processor, symbols)) {
        const auto label = symbols.name_of(each.address);
        fmt::format_to(std::back_inserter(to),
                       "  {} {:#x}{}: {}\n",
                       each.is_next ? "=>" : "  ",
                       each.address,
                       label ? " <" + *label + ">" : "",
                       each.text);
    }
    to += registers_text(cpu.state);
}

}  // namespace

std::vector<Instruction> code_around_rip(Processor& processor, const Symbols& symbols) {
    cpu::Cpu& cpu = processor.cpu();
    const std::uint64_t rip = linear_rip(cpu);
    std::vector<Instruction> code = code_before(cpu, rip, symbols.start_of(rip));
    std::vector<Instruction> rest =
        list_code(cpu, rip, rip + shown_from * longest_instruction, shown_from).instructions;
    if (!rest.empty()) rest.front().is_next = true;
    code.insert(code.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    return code;
}

std::string registers_text(const cpu::State& state) {
    static constexpr std::array<std::string_view, 16> names{"RAX",
                                                            "RCX",
                                                            "RDX",
                                                            "RBX",
                                                            "RSP",
                                                            "RBP",
                                                            "RSI",
                                                            "RDI",
                                                            "R8",
                                                            "R9",
                                                            "R10",
                                                            "R11",
                                                            "R12",
                                                            "R13",
                                                            "R14",
                                                            "R15"};
    static constexpr std::array<std::string_view, 6> segments{"ES", "CS", "SS", "DS", "FS", "GS"};
    std::string text;
    const auto to = std::back_inserter(text);
    for (std::size_t i = 0; i < names.size(); ++i)
        fmt::format_to(to, "  {:3} {:016x}{}", names[i], state.gpr[i], i % 4 == 3 ? "\n" : "");
    fmt::format_to(to, "  RIP {:016x}  RFLAGS {:08x}\n", state.rip, state.rflags);
    fmt::format_to(to,
                   "  CR0 {:08x}  CR2 {:016x}  CR3 {:016x}  CR4 {:08x}  EFER {:x}\n",
                   state.cr0,
                   state.cr2,
                   state.cr3,
                   state.cr4,
                   state.msr.efer);
    for (std::size_t i = 0; i < segments.size(); ++i) add_segment(text, segments[i], state.segment[i]);
    add_segment(text, "LDTR", state.ldtr);
    add_segment(text, "TR", state.tr);
    fmt::format_to(to,
                   "  GDTR base {:016x}  limit {:04x}\n  IDTR base {:016x}  limit {:04x}\n",
                   state.gdtr.base,
                   state.gdtr.limit,
                   state.idtr.base,
                   state.idtr.limit);
    return text;
}

std::string ending_sentence(const Pc& pc, const Ending& ending) {
    const std::uint64_t count = pc.time().retired;
    switch (ending.ended) {
        case Ended::triple_fault: return fmt::format("a triple fault on processor {}", ending.processor);
        case Ended::unimplemented:
            return fmt::format("processor {} came to something that is not implemented", ending.processor);
        case Ended::deadlock: return "every processor waits, and nothing will wake one";
        case Ended::limit: return fmt::format("the limit of {} instructions is reached", count);
        case Ended::pattern: return "the pattern has appeared";
        case Ended::debug_exit:
            return fmt::format("the guest wrote {:#x} to the debug-exit port", ending.code);
        case Ended::poweroff: return "the guest turned the machine off";
        case Ended::reset: return "the guest asked for a reset";
    }
    return "";
}

std::string diagnosis(Pc& pc,
                      const Ending& ending,
                      const Symbols& symbols,
                      std::span<const TraceEvent> last) {
    std::string text = ending_sentence(pc, ending) + '\n';
    const bool everybody = ending.ended == Ended::deadlock || ending.ended == Ended::limit;
    for (unsigned i = 0; i < pc.processors(); ++i)
        if (everybody || i == ending.processor) add_processor(text, pc.processor(i), symbols);
    if (!last.empty()) text += "last events:\n";
    for (const TraceEvent& event : last) text += "  " + trace_text(event) + '\n';
    return text;
}

}  // namespace hyperstep::machine
