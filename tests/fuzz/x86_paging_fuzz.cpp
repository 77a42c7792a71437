// Covers: mmu/x86_paging.cpp mmu/x86_formats.hpp mmu/physical_view.cpp
// Rooms: mmu
// With: tests/mmu/paging_fixture.cpp tests/mmu/paging_oracle.cpp
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tests/mmu/paging_fixture.hpp"

// Tables of any content in a small memory, under any controls: every access gets the oracle's answer, and no
// byte of memory changes but for the flags.
namespace hyperstep::mmu {
namespace {

constexpr std::size_t memory_bytes = 0x8000;

/// Numbers from the input; zeros once it has ended.
class Input {
public:
    explicit Input(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}
    bool ended() const { return bytes_.empty(); }
    std::uint64_t number(unsigned bytes) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < bytes && !bytes_.empty(); ++i) {
            value |= std::uint64_t{bytes_.front()} << (8 * i);
            bytes_ = bytes_.subspan(1);
        }
        return value;
    }

private:
    std::span<const std::uint8_t> bytes_;
};

X86Paging controls_of(Input& input) {
    constexpr std::array modes{
        PagingMode::bits_32, PagingMode::pae, PagingMode::level_4, PagingMode::level_5};
    X86Paging paging;
    paging.mode = modes[input.number(1) % modes.size()];
    const std::uint64_t bits = input.number(2);
    paging.pse = (bits & 0x001) != 0;
    paging.wp = (bits & 0x002) != 0;
    paging.smep = (bits & 0x004) != 0;
    paging.smap = (bits & 0x008) != 0;
    paging.nxe = (bits & 0x010) != 0;
    paging.pke = (bits & 0x020) != 0;
    paging.pks = (bits & 0x040) != 0;
    paging.pages_1g = (bits & 0x080) != 0;
    paging.pse36 = (bits & 0x100) != 0;
    paging.shadow_stack = true;
    paging.physical_width = static_cast<std::uint8_t>(32 + input.number(1) % 21);
    paging.pkru = static_cast<std::uint32_t>(input.number(4));
    paging.pkrs = static_cast<std::uint32_t>(input.number(4));
    const std::uint64_t width = (1ULL << paging.physical_width) - 1;
    paging.cr3 = input.number(8) & width;
    if (paging.mode == PagingMode::pae)
        for (std::uint64_t& pdpte : paging.pdpte) pdpte = input.number(8) & width;
    return paging;
}

Gva linear_of(Input& input, PagingMode mode) {
    const std::uint64_t linear = input.number(8);
    const unsigned unused = mode == PagingMode::level_5 ? 7 : mode == PagingMode::level_4 ? 16 : 32;
    const auto canonical = static_cast<std::uint64_t>(static_cast<std::int64_t>(linear << unused) >> unused);
    return Gva{unused == 32 ? linear & 0xffffffff : canonical};
}

void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

using Words = std::vector<std::uint64_t>;

/// `before` is memory as it was. Only accessed and dirty flags may be set, and by an access that succeeds.
void compare_memory(const Words& before, const Words& after, bool succeeded) {
    if (std::memcmp(before.data(), after.data(), memory_bytes) == 0) return;
    if (!succeeded) fail("a faulting access wrote");
    constexpr std::uint64_t flags = 0x6000000060;  // of one entry of 8 bytes, or of two of 4
    for (std::size_t i = 0; i < before.size(); ++i)
        if (((before[i] ^ after[i]) & ~flags) != 0 || (before[i] & ~after[i]) != 0)
            fail("more than flags was written");
}

void run(Input input) {
    const X86Paging paging = controls_of(input);
    const Gva linear = linear_of(input, paging.mode);
    const std::uint64_t entry_bytes = paging.mode == PagingMode::bits_32 ? 4 : 8;
    // Lent, so that a sanitizer sees the end.
    Words words(memory_bytes / sizeof(std::uint64_t));
    GuestMemory memory;
    if (!memory.lend_ram(Hpa{0}, std::as_writable_bytes(std::span{words}))) fail("the memory is refused");
    PhysicalView view{memory};
    while (!input.ended()) {
        const std::uint64_t slot = input.number(2) * entry_bytes % memory_bytes;
        memory.write(
            Hpa{slot}, static_cast<unsigned>(entry_bytes), input.number(static_cast<unsigned>(entry_bytes)));
    }
    for (const Access access : all_accesses) {
        for (const Privilege privilege : all_privileges) {
            const Words before = words;  // NOLINT(performance-unnecessary-copy-initialization): lent
            const bool succeeds = probe(paging, view, linear, access, privilege).has_value();
            const std::string text = disagreement(paging, view, linear, access, privilege);
            if (!text.empty()) fail(text.c_str());
            compare_memory(before, words, succeeds);
        }
    }
}

}  // namespace
}  // namespace hyperstep::mmu

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    hyperstep::mmu::run(hyperstep::mmu::Input{{data, size}});
    return 0;
}
