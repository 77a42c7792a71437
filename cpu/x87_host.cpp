#include "cpu/x87_host.hpp"

#include <cstring>
#include <utility>

namespace hyperstep::cpu {
namespace {

constexpr std::size_t control_at = 0, status_at = 4, tags_at = 8, registers_at = 28;
constexpr unsigned register_bytes = 10;
constexpr unsigned empty_tag = 3;

unsigned top_of(std::uint16_t status) {
    return status >> 11 & 7;
}

/// The exact bytes of the instruction, with DX's register as the address of a memory operand (ModRM.rm = 2).
template <unsigned opcode, unsigned modrm>
void on_host(FsaveImage& image, void* operand, std::uint8_t& ah) {
    std::uint32_t eax = static_cast<std::uint32_t>(ah) << 8;
    asm volatile(
        "frstor (%[image])\n\t"
        "sahf\n\t"
        ".byte %c[opcode], %c[modrm]\n\t"
        "lahf\n\t"
        "fnsave (%[image])"
        : "+a"(eax)
        : [image] "r"(image.data()), "d"(operand), [opcode] "i"(opcode), [modrm] "i"(modrm)
        : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    ah = static_cast<std::uint8_t>(eax >> 8);
}

/// The forms that are not run on the host: control and environment in memory; FNSTSW AX, FNCLEX, FNINIT and
/// the instructions of older coprocessors; the transcendentals; what does not exist.
constexpr bool runs_on_host(unsigned opcode, unsigned modrm) {
    const unsigned reg = modrm >> 3 & 7;
    if (modrm < 0xc0) {
        if (opcode == 0xd9) return reg < 4 && reg != 1;
        if (opcode == 0xdb) return reg != 4 && reg != 6;
        if (opcode == 0xdd) return reg < 4;
        return true;
    }
    switch (opcode) {
        case 0xd9: {
            constexpr unsigned not_here[] = {
                0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff, 0xe2, 0xe3, 0xe6, 0xe7, 0xef};
            for (const unsigned each : not_here)
                if (modrm == each) return false;
            return modrm < 0xd1 || modrm > 0xd7;
        }
        case 0xda: return modrm < 0xe0 || modrm == 0xe9;
        case 0xdb: return modrm < 0xe0 || (modrm >= 0xe8 && modrm < 0xf8);
        case 0xdd: return modrm < 0xf0;
        case 0xde: return modrm < 0xd8 || modrm == 0xd9 || modrm >= 0xe0;
        case 0xdf: return modrm < 0xe0 || (modrm >= 0xe8 && modrm < 0xf8);
        default: return true;
    }
}

/// Index: opcode - D8H, then ModRM: the register forms as they are, the memory forms by their reg field.
template <std::size_t place>
constexpr HostX87 entry() {
    constexpr unsigned opcode = 0xd8 + place / 72;
    constexpr unsigned form = place % 72;
    constexpr unsigned modrm = form < 64 ? 0xc0 + form : (form - 64) << 3 | 2;
    if constexpr (runs_on_host(opcode, modrm)) return on_host<opcode, modrm>;
    return nullptr;
}

template <std::size_t... place>
constexpr std::array<HostX87, sizeof...(place)> make_table(std::index_sequence<place...> /*places*/) {
    return {entry<place>()...};
}
constexpr auto table = make_table(std::make_index_sequence<8 * 72>{});

}  // namespace

HostX87 host_x87(std::uint8_t opcode, std::uint8_t modrm) {
    const unsigned form = modrm >= 0xc0 ? modrm - 0xc0U : 64U + (modrm >> 3 & 7U);
    return table[(opcode - 0xd8U) * 72 + form];
}

FsaveImage fsave_image(const FpuState& fpu) {
    FsaveImage image{};
    std::memcpy(image.data() + control_at, &fpu.control, 2);
    std::memcpy(image.data() + status_at, &fpu.status, 2);
    // A tag only has to say empty or not: FRSTOR finds out zero and special by itself.
    std::uint16_t tags = 0;
    for (unsigned i = 0; i < 8; ++i)
        if ((fpu.empty >> i & 1) != 0) tags = static_cast<std::uint16_t>(tags | empty_tag << (2 * i));
    std::memcpy(image.data() + tags_at, &tags, 2);
    for (unsigned i = 0; i < 8; ++i) {
        const Float80& value = fpu.registers[(top_of(fpu.status) + i) % 8];
        std::memcpy(image.data() + registers_at + i * register_bytes, &value.significand, 8);
        std::memcpy(image.data() + registers_at + i * register_bytes + 8, &value.sign_exponent, 2);
    }
    return image;
}

void load_fsave_image(FpuState& fpu, const FsaveImage& image) {
    std::uint16_t tags = 0;
    std::memcpy(&fpu.control, image.data() + control_at, 2);
    std::memcpy(&fpu.status, image.data() + status_at, 2);
    std::memcpy(&tags, image.data() + tags_at, 2);
    fpu.empty = 0;
    for (unsigned i = 0; i < 8; ++i)
        if ((tags >> (2 * i) & 3) == empty_tag) fpu.empty = static_cast<std::uint8_t>(fpu.empty | 1U << i);
    for (unsigned i = 0; i < 8; ++i) {
        Float80& value = fpu.registers[(top_of(fpu.status) + i) % 8];
        std::memcpy(&value.significand, image.data() + registers_at + i * register_bytes, 8);
        std::memcpy(&value.sign_exponent, image.data() + registers_at + i * register_bytes + 8, 2);
    }
}

}  // namespace hyperstep::cpu
