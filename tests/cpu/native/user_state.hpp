#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

// What an instruction of a user program can see and change: the common ground of the host's processor and
// ours.
namespace hyperstep::native {

/// The 512 bytes of FXSAVE in 64-bit mode. SDM "Layout of the 64-bit Mode FXSAVE Map".
using FxsaveImage = std::array<std::uint8_t, 512>;

struct UserState {
    std::array<std::uint64_t, 16> gpr{};  ///< as instructions encode them
    std::uint64_t rip = 0;
    std::uint64_t rflags = 0x202;
    FxsaveImage fxsave{};
    std::array<std::array<std::uint64_t, 2>, 16> ymm_high{};
};

/// Where a program's memory lies: the same linear addresses on both sides. Behind the window of data comes a
/// page that is read-only, then nothing; before it nothing, too.
namespace layout {
inline constexpr std::uint64_t page = 4096;
inline constexpr std::uint64_t code = 0x1000'0000;  ///< a page to execute; nothing follows it
inline constexpr std::uint64_t data = 0x2000'0000;  ///< two pages to read and write
inline constexpr std::uint64_t read_only = data + 2 * page;
/// The bytes that are random at first and that are compared: around the border of the two pages.
inline constexpr std::uint64_t window = data + page - 512;
inline constexpr std::size_t window_bytes = 1024;
/// Where an instruction may begin so that its last bytes lie just before the page's end.
inline constexpr std::uint64_t code_start = code + page - 64;
}  // namespace layout

enum class CodeSize : std::uint8_t { bits_16, bits_32, bits_64 };

/// One instruction in its surroundings.
struct Trial {
    CodeSize size = CodeSize::bits_64;
    std::array<std::uint8_t, 16> code{};
    std::uint8_t code_bytes = 0;
    bool repeats = false;  ///< a REP prefix: traps come after each iteration
    UserState before;
    std::array<std::uint8_t, layout::window_bytes> window{};
};

/// What came of it.
struct Result {
    static constexpr std::uint8_t no_fault = 0xff;
    std::uint8_t vector = no_fault;
    std::uint32_t error_code = 0;
    std::uint64_t fault_address = 0;  ///< CR2, of a page fault
    UserState after;
    std::array<std::uint8_t, layout::window_bytes> window{};
};

}  // namespace hyperstep::native
