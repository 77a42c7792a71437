#include "cpu/handler_code.hpp"

namespace hyperstep::cpu {
namespace {

bool is_right_for_mode(const Cpu& cpu, Descriptor code) {
    return !cpu.efer()[Efer::lma] || (code[Descriptor::l] && !code[Descriptor::db]);
}

}  // namespace

Expected<HandlerCode> handler_code(Cpu& cpu, std::uint16_t selector) {
    const bool from_virtual_8086 = cpu.mode == Mode::virtual_8086;
    const std::uint32_t error_code = error_code_of(selector);
    if (is_null(selector)) return general_protection();
    const auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor code = entry->descriptor;
    const auto dpl = static_cast<unsigned>(code[Descriptor::dpl]);
    if (!code.is_code() || dpl > cpu.cpl || !is_right_for_mode(cpu, code))
        return general_protection(error_code);
    if (!code[Descriptor::p]) return raise(Vector::np, error_code);
    if (from_virtual_8086 && (code.is_conforming() || dpl != 0)) return general_protection(error_code);
    return HandlerCode{.entry = *entry, .selector = selector, .cpl = code.is_conforming() ? cpu.cpl : dpl};
}

void begin_handler(Cpu& cpu, const HandlerCode& code, std::uint64_t offset, GateKind kind) {
    const auto selector = static_cast<std::uint16_t>((code.selector & 0xfffcU) | code.cpl);
    cpu.state.segment[cs] = segment_of(selector, code.entry.descriptor);
    cpu.state.rip = offset;
    constexpr std::uint64_t cleared = Rflags::tf.mask | Rflags::vm.mask | Rflags::rf.mask | Rflags::nt.mask;
    cpu.state.rflags &= ~cleared;
    if (kind == GateKind::interrupt) cpu.state.rflags &= ~Rflags::if_.mask;
    refresh(cpu);
}

}  // namespace hyperstep::cpu
