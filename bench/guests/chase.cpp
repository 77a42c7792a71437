// Pointer chasing: one link a page in a random cycle through 64 MiB of 4 KiB pages at 4 GiB. Needs 128 MiB of
// memory.
#include "bench/guests/work.hpp"

extern "C" u64 boot_pdpt[];

namespace {
constexpr u32 pages = 16384;
constexpr u64 region = 0x1'0000'0000, frames = 32 << 20;
constexpr u64 present_write = 3;
alignas(4096) u64 directory[512];
alignas(4096) u64 tables[pages];
u32 order[pages];

void map_region() {
    for (u32 page = 0; page < pages; ++page) {
        tables[page] =
            (frames + u64{page * 5 % pages} * 4096) | present_write;  // neighbours are not neighbours below
    }
    for (u32 i = 0; i < pages / 512; ++i) {
        directory[i] = reinterpret_cast<u64>(tables + u64{i} * 512) | present_write;
    }
    boot_pdpt[region >> 30] = reinterpret_cast<u64>(directory) | present_write;
    guest::write_cr3(guest::read_cr3());
}

u64* link_of(u32 page) {
    return reinterpret_cast<u64*>(region + u64{page} * 4096 + page % 64 * 64);
}

void make_cycle() {
    Random random;
    for (u32 i = 0; i < pages; ++i) {
        order[i] = i;
    }
    for (u32 i = pages - 1; i != 0; --i) {  // Fisher and Yates
        const u32 j = random.next() % (i + 1);
        const u32 kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (u32 i = 0; i < pages; ++i) {
        *link_of(order[i]) = reinterpret_cast<u64>(link_of(order[(i + 1) % pages]));
    }
}
}  // namespace

void guest_main() {
    map_region();
    make_cycle();
    repeat("chase", expected::chase, [] {
        u64 sum = 0;
        u64 at = reinterpret_cast<u64>(link_of(order[0]));
        for (u32 i = 0; i < pages; ++i) {
            sum = mix(sum, (at - region) >> 12);
            at = *reinterpret_cast<volatile u64*>(at);
        }
        return mix(sum, at - region);
    });
}
