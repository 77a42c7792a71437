#include <Zydis/Mnemonic.h>
#include <algorithm>
#include <cstring>

#include "cpu/semantics/forms.hpp"
#include "cpu/semantics/repeat.hpp"

// String instructions. The source is DS:rSI, or of another segment by a prefix; the destination always
// ES:rDI. SDM "String Operations", volume 2, the instructions by name.
namespace hyperstep::cpu {
namespace {

std::uint64_t source_offset(const Cpu& cpu, const Op& op) {
    return read_sized(cpu.state, rsi, op.address_bytes);
}
std::uint64_t destination_offset(const Cpu& cpu, const Op& op) {
    return read_sized(cpu.state, rdi, op.address_bytes);
}

// ---- one element ----

/// The source is read only when the store cannot fault: it may be a device's register.
template <class T>
Outcome move_element(Cpu& cpu, const Op& op) {
    const auto from = prepare_load<T>(cpu, op.segment, source_offset(cpu, op));
    if (!from) return tl::unexpected{from.error()};
    const auto to = prepare_store<T>(cpu, es, destination_offset(cpu, op));
    if (!to) return tl::unexpected{to.error()};
    write<T>(cpu, *to, read<T>(cpu, *from));
    const std::uint64_t step = index_step(cpu, sizeof(T));
    advance_index(cpu, op, rsi, step);
    advance_index(cpu, op, rdi, step);
    return {};
}
template <class T>
Outcome store_element(Cpu& cpu, const Op& op) {
    HS_TRY(store<T>(cpu, es, destination_offset(cpu, op), read_gpr<T>(cpu.state, rax)));
    advance_index(cpu, op, rdi, index_step(cpu, sizeof(T)));
    return {};
}
template <class T>
Outcome load_element(Cpu& cpu, const Op& op) {
    const auto value = load<T>(cpu, op.segment, source_offset(cpu, op));
    if (!value) return tl::unexpected{value.error()};
    write_gpr(cpu.state, rax, *value);
    advance_index(cpu, op, rsi, index_step(cpu, sizeof(T)));
    return {};
}
template <class T>
Outcome compare_elements(Cpu& cpu, const Op& op) {
    const auto first = prepare_load<T>(cpu, op.segment, source_offset(cpu, op));
    if (!first) return tl::unexpected{first.error()};
    const auto second = prepare_load<T>(cpu, es, destination_offset(cpu, op));
    if (!second) return tl::unexpected{second.error()};
    const T value = read<T>(cpu, *first);
    set_status(cpu, subtract(value, read<T>(cpu, *second)).flags);
    const std::uint64_t step = index_step(cpu, sizeof(T));
    advance_index(cpu, op, rsi, step);
    advance_index(cpu, op, rdi, step);
    return {};
}
template <class T>
Outcome scan_element(Cpu& cpu, const Op& op) {
    const auto value = load<T>(cpu, es, destination_offset(cpu, op));
    if (!value) return tl::unexpected{value.error()};
    set_status(cpu, subtract(read_gpr<T>(cpu.state, rax), *value).flags);
    advance_index(cpu, op, rdi, index_step(cpu, sizeof(T)));
    return {};
}

// ---- many elements of plain memory at once ----

/// Elements side by side in one page of RAM that needs no care.
struct Run {
    std::byte* lowest = nullptr;  ///< null: there is none
    std::uint64_t elements = 0;
};

enum class Order : std::uint8_t { ascending, descending };

/// The run that begins with the element at `offset`, of at most `most` elements. Whatever is special (a
/// fault, a device, a page that is not in the TLB, breakpoints, alignment checks) gives none.
template <class T, mmu::Access access>
Run run_at(Cpu& cpu, const Op& op, unsigned segment, std::uint64_t offset, Order order, std::uint64_t most) {
    constexpr std::uint64_t page_bytes = 4096;
    const auto linear = linear_address(cpu, segment, offset, sizeof(T), access);
    if (!linear) return {};
    const std::uint64_t in_page = *linear % page_bytes;
    if (in_page + sizeof(T) > page_bytes) return {};
    const mmu::TlbEntry& entry = cpu.tlb.at(Gva{*linear});
    const std::uint64_t tag = access == mmu::Access::write ? entry.write_tag : entry.read_tag;
    if (tag != mmu::Tlb::tag(Gva{*linear}, cpu.quick_context) || entry.host == nullptr) return {};
    // Neither the page nor the range of offsets may be left.
    const std::uint64_t last_offset = mask_of_bytes(op.address_bytes);
    const std::uint64_t room = order == Order::ascending
                                   ? std::min(page_bytes - in_page, last_offset - offset)
                                   : std::min(in_page, offset) + sizeof(T);
    const std::uint64_t elements = std::min(most, room / sizeof(T));
    if (elements == 0) return {};
    const std::uint64_t below = order == Order::ascending ? 0 : (elements - 1) * sizeof(T);
    const auto bytes = static_cast<unsigned>(elements * sizeof(T));
    if (!linear_address(cpu, segment, offset - below, bytes, access)) return {};
    return {entry.host + in_page - below, elements};
}

/// Shortens the run of a destination so that no element is read after it was overwritten, which a copy of the
/// whole would not do as a processor does.
template <class T>
std::uint64_t elements_before_overlap(const std::byte* from,
                                      const std::byte* to,
                                      Order order,
                                      std::uint64_t elements) {
    const auto ahead = order == Order::ascending
                           ? reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from)
                           : reinterpret_cast<std::uintptr_t>(from) - reinterpret_cast<std::uintptr_t>(to);
    // As an unsigned number, a destination on the harmless side is far ahead.
    return ahead == 0 ? elements : std::min<std::uint64_t>(elements, ahead / sizeof(T));
}

Order order_of(const Cpu& cpu) {
    return cpu.rflags()[Rflags::df] ? Order::descending : Order::ascending;
}

template <class T>
Expected<std::uint64_t> move_elements(Cpu& cpu, const Op& op, std::uint64_t most) {
    const Order order = order_of(cpu);
    const auto finds = [&](std::uint64_t limit, Run& from, Run& to) {
        from = run_at<T, mmu::Access::read>(cpu, op, op.segment, source_offset(cpu, op), order, limit);
        to = run_at<T, mmu::Access::write>(cpu, op, es, destination_offset(cpu, op), order, from.elements);
        return to.elements;
    };
    Run from, to;
    std::uint64_t elements = most == 1 ? 0 : finds(most, from, to);
    if (elements != 0 && elements != from.elements) elements = finds(elements, from, to);
    // The first elements: at the low end of an ascending run, at the high end of a descending one.
    if (elements != 0) {
        const std::uint64_t end = order == Order::ascending ? 0 : (elements - 1) * sizeof(T);
        const std::uint64_t fit =
            elements_before_overlap<T>(from.lowest + end, to.lowest + end, order, elements);
        const std::uint64_t skipped = order == Order::ascending ? 0 : (elements - fit) * sizeof(T);
        std::memmove(to.lowest + skipped, from.lowest + skipped, fit * sizeof(T));
        elements = fit;
    }
    if (elements == 0) {
        HS_TRY(move_element<T>(cpu, op));
        return 1;
    }
    const std::uint64_t step = index_step(cpu, elements * sizeof(T));
    advance_index(cpu, op, rsi, step);
    advance_index(cpu, op, rdi, step);
    return elements;
}

template <class T>
Expected<std::uint64_t> store_elements(Cpu& cpu, const Op& op, std::uint64_t most) {
    const Run to = most == 1 ? Run{}
                             : run_at<T, mmu::Access::write>(
                                   cpu, op, es, destination_offset(cpu, op), order_of(cpu), most);
    if (to.elements == 0) {
        HS_TRY(store_element<T>(cpu, op));
        return 1;
    }
    const T value = read_gpr<T>(cpu.state, rax);
    for (std::uint64_t i = 0; i < to.elements; ++i)
        std::memcpy(to.lowest + i * sizeof(T), &value, sizeof value);
    advance_index(cpu, op, rdi, index_step(cpu, to.elements * sizeof(T)));
    return to.elements;
}

// ---- instructions ----

/// Several elements at once, for repetitions.
template <Expected<std::uint64_t> (*elements)(Cpu&, const Op&, std::uint64_t)>
Outcome repeat_elements(Cpu& cpu, const Op& op) {
    return repeat<RepeatWhile::counted>(cpu, op, [&](std::uint64_t most) { return elements(cpu, op, most); });
}
template <Handler element, RepeatWhile condition>
Outcome repeat_element(Cpu& cpu, const Op& op) {
    return repeat<condition>(cpu, op, [&](std::uint64_t /*most*/) -> Expected<std::uint64_t> {
        HS_TRY(element(cpu, op));
        return 1;
    });
}

bool is_repeated(const Form& form) {
    return (form.flags & (op_flag::rep | op_flag::repne)) != 0;
}

// Either prefix repeats MOVS, STOS and LODS. Mnemonics of four are shared with SSE2, whose instructions have
// visible operands.
Handler select_movs(const Form& form) {
    if (form.operands != 0) return nullptr;
    return by_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        return is_repeated(form) ? repeat_elements<move_elements<T>> : move_element<T>;
    });
}
Handler select_stos(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        return is_repeated(form) ? repeat_elements<store_elements<T>> : store_element<T>;
    });
}
Handler select_lods(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) -> Handler {
        constexpr Handler element = load_element<decltype(size)>;
        return is_repeated(form) ? repeat_element<element, RepeatWhile::counted> : element;
    });
}

template <Handler element>
Handler with_condition(const Form& form) {
    if ((form.flags & op_flag::rep) != 0) return repeat_element<element, RepeatWhile::equal>;
    if ((form.flags & op_flag::repne) != 0) return repeat_element<element, RepeatWhile::not_equal>;
    return element;
}
Handler select_cmps(const Form& form) {
    if (form.operands != 0) return nullptr;
    return by_bytes(form.operand_bytes,
                    [&](auto size) { return with_condition<compare_elements<decltype(size)>>(form); });
}
Handler select_scas(const Form& form) {
    return by_bytes(form.operand_bytes,
                    [&](auto size) { return with_condition<scan_element<decltype(size)>>(form); });
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOVSB, Feature::always, select_movs},
    {ZYDIS_MNEMONIC_MOVSW, Feature::always, select_movs},
    {ZYDIS_MNEMONIC_MOVSD, Feature::always, select_movs},
    {ZYDIS_MNEMONIC_MOVSQ, Feature::always, select_movs},
    {ZYDIS_MNEMONIC_CMPSB, Feature::always, select_cmps},
    {ZYDIS_MNEMONIC_CMPSW, Feature::always, select_cmps},
    {ZYDIS_MNEMONIC_CMPSD, Feature::always, select_cmps},
    {ZYDIS_MNEMONIC_CMPSQ, Feature::always, select_cmps},
    {ZYDIS_MNEMONIC_SCASB, Feature::always, select_scas},
    {ZYDIS_MNEMONIC_SCASW, Feature::always, select_scas},
    {ZYDIS_MNEMONIC_SCASD, Feature::always, select_scas},
    {ZYDIS_MNEMONIC_SCASQ, Feature::always, select_scas},
    {ZYDIS_MNEMONIC_LODSB, Feature::always, select_lods},
    {ZYDIS_MNEMONIC_LODSW, Feature::always, select_lods},
    {ZYDIS_MNEMONIC_LODSD, Feature::always, select_lods},
    {ZYDIS_MNEMONIC_LODSQ, Feature::always, select_lods},
    {ZYDIS_MNEMONIC_STOSB, Feature::always, select_stos},
    {ZYDIS_MNEMONIC_STOSW, Feature::always, select_stos},
    {ZYDIS_MNEMONIC_STOSD, Feature::always, select_stos},
    {ZYDIS_MNEMONIC_STOSQ, Feature::always, select_stos},
};

}  // namespace

std::span<const Row> strings_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
