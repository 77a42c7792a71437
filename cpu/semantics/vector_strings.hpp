#pragma once
#include <algorithm>
#include <bit>

#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/packed.hpp"

// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: of SSE4.2 and of VEX. SDM "PCMPxSTRx instructions".
namespace hyperstep::cpu::vector_strings {

/// How the ends of the strings are known: by lengths in rAX and rDX, or by a null element.
enum class Length : std::uint8_t { explicit_, implicit };
enum class Result : std::uint8_t { index, mask };

/// Two strings of T and how many elements of each are valid.
template <class T>
struct Strings {
    Lanes<T, 16> first;
    Lanes<T, 16> second;
    unsigned first_length = 0;
    unsigned second_length = 0;
};

template <class T>
bool in_set(const Strings<T>& strings, unsigned at) {
    for (unsigned i = 0; i < strings.first_length; ++i)
        if (strings.first[i] == strings.second[at]) return true;
    return false;
}
/// Of a bound without its pair, nothing lies within.
template <class T>
bool in_ranges(const Strings<T>& strings, unsigned at) {
    for (unsigned i = 0; i + 1 < strings.first_length; i += 2)
        if (strings.second[at] >= strings.first[i] && strings.second[at] <= strings.first[i + 1]) return true;
    return false;
}
template <class T>
bool equal_at(const Strings<T>& strings, unsigned at) {
    const bool first_valid = at < strings.first_length;
    const bool second_valid = at < strings.second_length;
    if (!first_valid || !second_valid) return first_valid == second_valid;
    return strings.first[at] == strings.second[at];
}
/// Whether the first string starts at this place of the second, as far as the register goes.
template <class T>
bool starts_at(const Strings<T>& strings, unsigned at) {
    for (unsigned i = 0; i < strings.first_length && at + i < strings.second.size(); ++i)
        if (at + i >= strings.second_length || strings.first[i] != strings.second[at + i]) return false;
    return true;
}

/// IntRes2: a bit for each element of the second string.
template <class T>
std::uint32_t matches(const Strings<T>& strings, unsigned control) {
    std::uint32_t bits = 0;
    for (unsigned at = 0; at < strings.second.size(); ++at) {
        bool match = false;
        switch (control >> 2U & 3U) {
            case 0: match = at < strings.second_length && in_set(strings, at); break;
            case 1: match = at < strings.second_length && in_ranges(strings, at); break;
            case 2: match = equal_at(strings, at); break;
            default: match = starts_at(strings, at); break;
        }
        const bool negated = (control & 0x10U) != 0 && ((control & 0x20U) == 0 || at < strings.second_length);
        bits |= static_cast<std::uint32_t>(match != negated) << at;
    }
    return bits;
}

/// The absolute value of a length register, at most `most`.
inline unsigned explicit_length(const Cpu& cpu, const Op& op, unsigned number, unsigned most) {
    const std::uint64_t whole = cpu.state.gpr[number];
    std::int64_t length = static_cast<std::int32_t>(static_cast<std::uint32_t>(whole));
    if (op.has(op_flag::rex_w) && cpu.mode == Mode::long_64) length = static_cast<std::int64_t>(whole);
    const std::uint64_t absolute =
        length < 0 ? 0 - static_cast<std::uint64_t>(length) : static_cast<std::uint64_t>(length);
    return static_cast<unsigned>(std::min<std::uint64_t>(absolute, most));
}
template <class T>
unsigned implicit_length(const Lanes<T, 16>& string) {
    return static_cast<unsigned>(std::find(string.begin(), string.end(), T{0}) - string.begin());
}

struct Compared {
    std::uint32_t matches = 0;
    std::uint64_t flags = 0;
    unsigned elements = 16;
};

template <class T, Length length>
Compared compare(const Cpu& cpu, const Op& op, const Packed<16>& first, const Packed<16>& second) {
    Strings<T> strings{lanes_of<T>(first), lanes_of<T>(second)};
    constexpr unsigned elements = 16 / sizeof(T);
    if constexpr (length == Length::explicit_) {
        strings.first_length = explicit_length(cpu, op, rax, elements);
        strings.second_length = explicit_length(cpu, op, rdx, elements);
    } else {
        strings.first_length = implicit_length<T>(strings.first);
        strings.second_length = implicit_length<T>(strings.second);
    }
    Compared result{.matches = matches(strings, static_cast<unsigned>(op.immediate)), .elements = elements};
    if (result.matches != 0) result.flags |= flag::cf;
    if (strings.second_length < elements) result.flags |= flag::zf;
    if (strings.first_length < elements) result.flags |= flag::sf;
    if ((result.matches & 1U) != 0) result.flags |= flag::of;
    return result;
}

inline Packed<16> byte_mask(const Compared& compared) {
    ByteArray<16> mask{};
    const std::size_t width = 16 / compared.elements;
    for (std::size_t i = 0; i < mask.size(); ++i)
        if ((compared.matches >> (i / width) & 1U) != 0) mask[i] = 0xff;
    return pack(mask);
}

template <Encoding encoding, Length length, Result result>
Outcome run(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto first = xmm(cpu.state, op.reg[0]);
    Packed<16> second = xmm(cpu.state, op.reg[1]);
    if (op.has(op_flag::has_memory)) {
        const auto loaded = load_packed<16, Alignment::any>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        second = *loaded;
    }
    Compared compared;
    switch (op.immediate & 3U) {
        case 0: compared = compare<std::uint8_t, length>(cpu, op, first, second); break;
        case 1: compared = compare<std::uint16_t, length>(cpu, op, first, second); break;
        case 2: compared = compare<std::int8_t, length>(cpu, op, first, second); break;
        default: compared = compare<std::int16_t, length>(cpu, op, first, second); break;
    }
    const bool other_output = (op.immediate & 0x40U) != 0;
    if constexpr (result == Result::mask) {
        const Packed<16> bits{compared.matches, 0};
        set_xmm<encoding>(cpu.state, 0, other_output ? byte_mask(compared) : bits);
    } else {
        unsigned index = compared.elements;
        if (compared.matches != 0)
            index = static_cast<unsigned>(other_output ? 31 - std::countl_zero(compared.matches)
                                                       : std::countr_zero(compared.matches));
        write_gpr<std::uint32_t>(cpu.state, rcx, index);
    }
    cpu.state.rflags = with_status(cpu.state.rflags, compared.flags);
    return {};
}

}  // namespace hyperstep::cpu::vector_strings
