#include <Zydis/Mnemonic.h>
#include <array>

#include "cpu/semantics/forms.hpp"

// Instructions that use the stack as such. SDM "Stack Manipulation", "Procedure Calls for Block-Structured
// Languages".
namespace hyperstep::cpu {
namespace {

template <class T, OperandKind from>
Outcome push_operand(Cpu& cpu, const Op& op) {
    return push<T>(cpu, *operand<T, from, 0>(cpu, op));
}
/// The source is read only when the push cannot fault: it may be a device's register.
template <class T>
Outcome push_memory(Cpu& cpu, const Op& op) {
    const auto from = prepare_load<T>(cpu, op.segment, effective_offset(cpu, op));
    if (!from) return tl::unexpected{from.error()};
    const std::uint64_t top = (cpu.state.gpr[rsp] - sizeof(T)) & mask_of_bytes(cpu.stack_bytes);
    const auto to = prepare_store<T>(cpu, ss, top);
    if (!to) return tl::unexpected{to.error()};
    write<T>(cpu, *to, read<T>(cpu, *from));
    write_sized(cpu.state, rsp, cpu.stack_bytes, top);
    return {};
}

/// A selector takes a slot of the operand size. In a slot of 4 bytes the upper two keep what is there, as on
/// all recent processors (SDM "PUSH").
template <class T>
Outcome push_selector(Cpu& cpu, const Op& op) {
    const std::uint16_t selector = cpu.state.segment[op.reg[0]].selector;
    if constexpr (sizeof(T) != 4) {
        return push<T>(cpu, selector);
    } else {
        const std::uint64_t top = (cpu.state.gpr[rsp] - 4) & mask_of_bytes(cpu.stack_bytes);
        HS_TRY(store<std::uint16_t>(cpu, ss, top, selector));
        write_sized(cpu.state, rsp, cpu.stack_bytes, top);
        return {};
    }
}

Handler select_push(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        switch (form.kind[0]) {
            case OperandKind::gpr: return push_operand<T, OperandKind::gpr>;
            case OperandKind::memory: return push_memory<T>;
            case OperandKind::immediate: return push_operand<T, OperandKind::immediate>;
            case OperandKind::segment: return push_selector<T>;
            default: return nullptr;
        }
    });
}

/// POP of RSP itself: the value read stays, the increment is lost.
template <class T>
Outcome pop_register(Cpu& cpu, const Op& op) {
    const auto value = peek<T>(cpu);
    if (!value) return tl::unexpected{value.error()};
    drop(cpu, sizeof(T));
    write_gpr<T>(cpu.state, op.reg[0], *value);
    return {};
}
/// The address of the destination is computed after RSP was incremented.
template <class T>
Outcome pop_memory(Cpu& cpu, const Op& op) {
    const auto value = peek<T>(cpu);
    if (!value) return tl::unexpected{value.error()};
    const std::uint64_t before = cpu.state.gpr[rsp];
    drop(cpu, sizeof(T));
    Outcome stored = store_operand<T>(cpu, op, *value);
    if (!stored) cpu.state.gpr[rsp] = before;
    return stored;
}

Handler select_pop(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        if (form.is(OperandKind::gpr)) return pop_register<T>;
        if (form.is(OperandKind::memory)) return pop_memory<T>;
        return nullptr;
    });
}

/// The address of the `number`th value of T that is pushed from now on, counted from 1.
template <class T>
std::uint64_t pushed_at(const Cpu& cpu, std::uint64_t number) {
    return (cpu.state.gpr[rsp] - number * sizeof(T)) & mask_of_bytes(cpu.stack_bytes);
}

/// SDM "PUSHA", "Real-Address Mode Exceptions": stack pointers with which a part of the registers fits.
bool pusha_is_cut(const Cpu& cpu) {
    const std::uint64_t top = read_sized(cpu.state, rsp, cpu.stack_bytes);
    return cpu.mode == Mode::real && top >= 7 && top <= 15 && (top & 1) != 0;
}

/// All eight stores are checked before the first is done.
template <class T>
Outcome push_all(Cpu& cpu, const Op& /*op*/) {
    if (pusha_is_cut(cpu)) return general_protection();
    std::array<Place, 8> places;
    for (std::uint8_t i = 0; i < 8; ++i) {
        const auto place = prepare_store<T>(cpu, ss, pushed_at<T>(cpu, i + 1U));
        if (!place) return tl::unexpected{place.error()};
        places[i] = *place;
    }
    for (std::uint8_t i = 0; i < 8; ++i) write<T>(cpu, places[i], read_gpr<T>(cpu.state, i));
    write_sized(cpu.state, rsp, cpu.stack_bytes, pushed_at<T>(cpu, 8));
    return {};
}

/// The value for rSP is skipped.
template <class T>
Outcome pop_all(Cpu& cpu, const Op& /*op*/) {
    std::array<T, 8> values{};
    for (std::uint8_t i = 0; i < 8; ++i) {
        if (i == 7 - rsp) continue;
        const auto value = peek<T>(cpu, i * sizeof(T));
        if (!value) return tl::unexpected{value.error()};
        values[i] = *value;
    }
    for (std::uint8_t i = 0; i < 8; ++i)
        if (i != 7 - rsp) write_gpr<T>(cpu.state, static_cast<std::uint8_t>(7 - i), values[i]);
    drop(cpu, 8 * sizeof(T));
    return {};
}

/// What ENTER pushes: rBP, the frame pointers of the enclosing levels, its own. The places are found before
/// anything is written; then the copies are made in order, so that overlapping frames read as on a processor.
template <class T>
Outcome enter(Cpu& cpu, const Op& op) {
    const unsigned level = static_cast<unsigned>(op.displacement) & 31;
    const unsigned pushes = level == 0 ? 1 : level + 1;
    const std::uint64_t stack_mask = mask_of_bytes(cpu.stack_bytes);
    std::array<Place, 32> to;
    std::array<Place, 32> from;
    for (unsigned i = 0; i < pushes; ++i) {
        const bool copies = i >= 1 && i < level;
        if (copies) {
            const std::uint64_t offset = (cpu.state.gpr[rbp] - i * sizeof(T)) & stack_mask;
            const auto place = locate(cpu, ss, offset, sizeof(T), mmu::Access::read);
            if (!place) return tl::unexpected{place.error()};
            from[i] = *place;
        }
        const auto place = prepare_store<T>(cpu, ss, pushed_at<T>(cpu, i + 1));
        if (!place) return tl::unexpected{place.error()};
        to[i] = *place;
    }
    const std::uint64_t frame = pushed_at<T>(cpu, 1);
    const std::uint64_t top = (pushed_at<T>(cpu, pushes) - (op.immediate & 0xffff)) & stack_mask;
    // A write at the final stack pointer must be possible; it is not done.
    HS_TRY(prepare_store<T>(cpu, ss, top));

    write<T>(cpu, to[0], read_gpr<T>(cpu.state, rbp));
    for (unsigned i = 1; i < level; ++i) write<T>(cpu, to[i], read<T>(cpu, from[i]));
    // The frame pointer is rSP of the operand size, also when the stack is of 16 bits.
    const std::uint64_t kept = cpu.stack_bytes == 2 ? cpu.state.gpr[rsp] & ~0xffffULL : 0;
    const T frame_pointer = static_cast<T>(frame | kept);
    if (level != 0) write<T>(cpu, to[level], frame_pointer);
    write_gpr<T>(cpu.state, rbp, frame_pointer);
    write_sized(cpu.state, rsp, cpu.stack_bytes, top);
    return {};
}

template <class T>
Outcome leave(Cpu& cpu, const Op& /*op*/) {
    const std::uint64_t frame = read_sized(cpu.state, rbp, cpu.stack_bytes);
    const auto value = load<T>(cpu, ss, frame);
    if (!value) return tl::unexpected{value.error()};
    write_sized(cpu.state, rsp, cpu.stack_bytes, frame + sizeof(T));
    write_gpr<T>(cpu.state, rbp, *value);
    return {};
}

Handler select_enter(const Form& form) {
    return by_word_bytes(form.operand_bytes, [](auto size) -> Handler { return enter<decltype(size)>; });
}
Handler select_leave(const Form& form) {
    return by_word_bytes(form.operand_bytes, [](auto size) -> Handler { return leave<decltype(size)>; });
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_PUSH, Feature::always, select_push},
    {ZYDIS_MNEMONIC_POP, Feature::always, select_pop},
    {ZYDIS_MNEMONIC_PUSHA, Feature::always, only<push_all<std::uint16_t>>},
    {ZYDIS_MNEMONIC_PUSHAD, Feature::always, only<push_all<std::uint32_t>>},
    {ZYDIS_MNEMONIC_POPA, Feature::always, only<pop_all<std::uint16_t>>},
    {ZYDIS_MNEMONIC_POPAD, Feature::always, only<pop_all<std::uint32_t>>},
    {ZYDIS_MNEMONIC_ENTER, Feature::always, select_enter},
    {ZYDIS_MNEMONIC_LEAVE, Feature::always, select_leave},
};

}  // namespace

std::span<const Row> stack_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
