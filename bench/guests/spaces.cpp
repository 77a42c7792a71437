// Address-space switches: eight page-table roots map the same 16 pages to frames of their own; CR3 is written
// in a random order, and a few pages are touched in between.
#include "bench/guests/work.hpp"

extern "C" u64 boot_pml4[];

namespace {
constexpr u32 spaces = 8, pages = 16, switches = 2000;
constexpr u64 region = 0x80'0000'0000, frames = 32 << 20;  // PML4 entry 1
constexpr u64 present_write = 3;
alignas(4096) u64 roots[spaces][512];
alignas(4096) u64 pointers[spaces][512];
alignas(4096) u64 directories[spaces][512];
alignas(4096) u64 tables[spaces][512];

u64 entry(const u64* table) {
    return reinterpret_cast<u64>(table) | present_write;
}

void make_spaces() {
    for (u32 space = 0; space < spaces; ++space) {
        roots[space][0] = boot_pml4[0];
        roots[space][1] = entry(pointers[space]);
        pointers[space][0] = entry(directories[space]);
        directories[space][0] = entry(tables[space]);
        for (u32 page = 0; page < pages; ++page) {
            tables[space][page] = (frames + u64{(page * spaces + space)} * 4096) | present_write;
        }
    }
}

volatile u64* word_of(u32 page) {
    return reinterpret_cast<volatile u64*>(region + u64{page} * 4096 + u64{page} * 8);
}

u64 work() {
    for (const auto& root : roots) {
        guest::write_cr3(reinterpret_cast<u64>(&root));
        for (u32 page = 0; page < pages; ++page) {
            *word_of(page) = page;
        }
    }
    Random random;
    u64 sum = 0;
    for (u32 i = 0; i < switches; ++i) {
        const u32 chosen = random.next();
        guest::write_cr3(reinterpret_cast<u64>(roots[chosen % spaces]));
        for (u32 touch = 0; touch < 4; ++touch) {
            volatile u64* word = word_of(chosen >> (8 + 4 * touch) & 15);
            *word = *word + i;
            sum = mix(sum, *word);
        }
    }
    return sum;
}
}  // namespace

void guest_main() {
    make_spaces();
    repeat("spaces", expected::spaces, work);
}
