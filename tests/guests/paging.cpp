// Paging: permissions, accessed and dirty bits, WP, NX, reserved bits, SMEP and SMAP, INVLPG, global pages,
// PCID. Built for 64 bits (4-level) and, with PAE or with 32-bit entries (PSE), for 32 bits.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

// The page under test is at `window`; its table's entry is `leaf`. Everything else is mapped as it is at the
// start.
SNIPPET(page_read, "mov $0x40000000, %ecx; mov (%" WIDE "cx), %al")
SNIPPET(page_write, "mov $0x40000000, %ecx; movb $0xc3, (%" WIDE "cx)")
SNIPPET(page_execute, "mov $0x40000000, %ecx; jmp *%" WIDE "cx")
SNIPPET(page_read_with_ac,
        "pushf; mov $0x40000000, %ecx; .byte 0x0f, 0x01, 0xcb; mov (%" WIDE "cx), %al; popf")
SNIPPET(page_write_with_ac,
        "pushf; mov $0x40000000, %ecx; .byte 0x0f, 0x01, 0xcb; movb $0xc3, (%" WIDE "cx); popf")

namespace {
constexpr uptr window = 0x40000000;
constexpr u32 present = 1, writable = 2, user_page = 4, accessed = 0x20, dirty = 0x40, global = 0x100;
constexpr uptr cr0_wp = 0x10000;

#if defined(GUEST64) || defined(PAE)
using Entry = u64;
constexpr u32 entries = 512;
#else
using Entry = u32;
constexpr u32 entries = 1024;
#endif

alignas(4096) Entry leaf_table[entries];
alignas(4096) u8 frames[2][4096];
Entry* upper;  // the entry that refers to leaf_table
Entry& leaf = leaf_table[0];

#ifdef GUEST64
extern "C" u64 boot_directories[];
constexpr const char* name = "paging64";
void start_paging() {
    upper = boot_directories + 512;
}
#else
void start_tables() {
#ifdef PAE
    alignas(4096) static Entry directories[4][512];
    alignas(32) static Entry pointers[4];
    for (u32 i = 0; i < 2048; ++i) {
        directories[i / 512][i % 512] = u64{i} << 21 | 0x87;
    }
    for (u32 i = 0; i < 4; ++i) {
        pointers[i] = reinterpret_cast<uptr>(directories[i]) | 1;
    }
    upper = &directories[1][0];
    write_cr4(read_cr4() | 0x20);
    write_cr3(reinterpret_cast<uptr>(pointers));
#else
    alignas(4096) static Entry directory[1024];
    for (u32 i = 0; i < 1024; ++i) {
        directory[i] = i << 22 | 0x87;
    }
    upper = directory + 256;
    write_cr4(read_cr4() | 0x10);
    write_cr3(reinterpret_cast<uptr>(directory));
#endif
}
#ifdef PAE
constexpr const char* name = "paging_pae";
#else
constexpr const char* name = "paging32";
#endif
void start_paging() {
    start_tables();
    write_cr0(read_cr0() | 0x80000000);
}
#endif

Entry frame(u32 number) {
    return reinterpret_cast<uptr>(frames[number]);
}

void show(const char* ring, const char* what, const Trap& trap) {
    print("  ", ring, " ", what, ": ");
    if (trap.vector == no_trap) {
        print("ok, upper ", Hex{*upper & (accessed | dirty)}, " leaf ", Hex{leaf & (accessed | dirty)}, "\n");
    } else {
        // Whether a walk that faults sets accessed bits on its way is left open by the manual.
        print("vector ", trap.vector, " error ", Hex{trap.frame.error}, "\n");
    }
}

// One access, with clear accessed and dirty bits and nothing cached before.
void access(const char* ring, const char* what, void (*code)(), bool at_user) {
    *upper &= ~Entry{accessed | dirty};
    leaf &= ~Entry{accessed | dirty};
    write_cr3(read_cr3());
    show(ring, what, at_user ? run_user(code) : run_kernel(code));
}

void accesses(const char* title, Entry upper_flags, Entry leaf_flags) {
    print(title, "\n");
    *upper = reinterpret_cast<uptr>(leaf_table) | upper_flags;
    leaf = frame(0) | leaf_flags;
    access("cpl0", "read", page_read, false);
    access("cpl0", "write", page_write, false);
    access("cpl0", "execute", page_execute, false);
    access("cpl3", "read", page_read, true);
    access("cpl3", "write", page_write, true);
    access("cpl3", "execute", page_execute, true);
}

void permissions() {
    constexpr Entry all = present | writable | user_page;
    accesses("all rights", all, all);
    accesses("leaf read-only", all, present | user_page);
    accesses("leaf of the supervisor", all, present | writable);
    accesses("upper read-only", present | user_page, all);
    accesses("upper of the supervisor", present | writable, all);
    accesses("leaf absent", all, writable | user_page);
    accesses("upper absent", 0, all);
    write_cr0(read_cr0() | cr0_wp);
    accesses("WP, leaf read-only", all, present | user_page);
    accesses("WP, upper read-only", present | user_page, all);
    write_cr0(read_cr0() & ~cr0_wp);
}

#if defined(GUEST64) || defined(PAE)
void execute_disable() {
    constexpr u32 efer = 0xc0000080;
    constexpr Entry all = present | writable | user_page, nx = Entry{1} << 63;
    accesses("bit 63 without NXE", all, all | nx);
    write_msr(efer, read_msr(efer) | 0x800);
    accesses("NX in the leaf", all, all | nx);
    accesses("NX in the upper", all | nx, all);
    accesses("leaf absent with NXE", all, writable | user_page);
    accesses("bit 51 reserved in the leaf", all, all | Entry{1} << 51);
    accesses("bit 51 reserved in the upper", all | Entry{1} << 51, all);
    write_msr(efer, read_msr(efer) & ~u64{0x800});
}
#else
void execute_disable() {}
#endif

void large_pages() {
    constexpr Entry all = present | writable | user_page, large = 0x80;
    print("large pages\n");
    *upper = window | all | large;
    access("cpl3", "read", page_read, true);
    access("cpl3", "write", page_write, true);
#if defined(GUEST64) || defined(PAE)
    *upper = window | all | large | 0x2000;  // below the frame and above PAT: reserved
#else
    *upper = window | all | large | 0x200000;
#endif
    access("cpl0", "read, a reserved bit", page_read, false);
    access("cpl3", "write, a reserved bit", page_write, true);
}

void kernel_accesses(const char* title, Entry leaf_flags) {
    print(title, "\n");
    *upper = reinterpret_cast<uptr>(leaf_table) | present | writable | user_page;
    leaf = frame(0) | leaf_flags;
    access("cpl0", "read", page_read, false);
    access("cpl0", "write", page_write, false);
    access("cpl0", "execute", page_execute, false);
}

// With SMEP and SMAP this program's own pages are the supervisor's, so that only CPL 0 can run.
void prevention() {
    const u32 has = cpuid(7).ebx;
    constexpr Entry page = present | writable;
    constexpr uptr smep = uptr{1} << 20, smap = uptr{1} << 21;
    Entry& own = *(upper - (window >> (entries == 512 ? 21 : 22)));
    own &= ~Entry{user_page};
    write_cr3(read_cr3());
    if ((has & 1U << 7) != 0) {
        write_cr4(read_cr4() | smep);
        kernel_accesses("SMEP, a user's page", page | user_page);
        kernel_accesses("SMEP, a supervisor's page", page);
        write_cr4(read_cr4() & ~smep);
    }
    if ((has & 1U << 20) != 0) {
        write_cr4(read_cr4() | smap);
        kernel_accesses("SMAP, a user's page", page | user_page);
        access("cpl0", "read with AC", page_read_with_ac, false);
        access("cpl0", "write with AC", page_write_with_ac, false);
        kernel_accesses("SMAP, a supervisor's page", page);
        write_cr4(read_cr4() & ~smap);
    }
    own |= user_page;
    write_cr3(read_cr3());
}

u8 seen() {
    return *reinterpret_cast<volatile u8*>(window);
}

void translations() {
    constexpr Entry all = present | writable | user_page;
    frames[0][0] = 0xa0;
    frames[1][0] = 0xb1;
    *upper = reinterpret_cast<uptr>(leaf_table) | all;
    leaf = frame(0) | all;
    write_cr3(read_cr3());
    print("translation ", Hex{seen()});
    leaf = frame(1) | all;
    invlpg(window);
    print(", after invlpg ", Hex{seen()});
    leaf = frame(0) | all;
    write_cr3(read_cr3());
    print(", after mov to cr3 ", Hex{seen()});
    write_cr4(read_cr4() | 0x80);  // PGE
    leaf = frame(1) | all | global;
    invlpg(window);
    print(", global ", Hex{seen()});
    leaf = frame(0) | all | global;
    invlpg(window);
    print(", after invlpg ", Hex{seen()});
    leaf = frame(1) | all | global;
    write_cr4(read_cr4() & ~uptr{0x80});
    print(", after PGE changed ", Hex{seen()}, "\n");
}

#ifdef GUEST64
void contexts() {
    if ((cpuid(1).ecx & 1U << 17) == 0) {
        return;
    }
    constexpr Entry all = present | writable | user_page;
    const uptr root = read_cr3();
    write_cr4(read_cr4() | 1U << 17);  // PCIDE
    leaf = frame(0) | all;
    write_cr3(root | 1);
    print("PCID 1 ", Hex{seen()});
    leaf = frame(1) | all;
    write_cr3(root | 2);
    print(", PCID 2 ", Hex{seen()});
    write_cr3(root | 1);
    print(", PCID 1 flushed ", Hex{seen()}, ", cr3 ", Hex{(read_cr3() & 0xfff)}, "\n");
    const Trap trap = run_kernel([] {
        write_cr4(read_cr4() & ~(uptr{1} << 17));
        write_cr3(read_cr3() | 3);
        write_cr4(read_cr4() | 1U << 17);  // CR3 bits 11:0 are not 0
    });
    print("PCIDE while CR3 has bits 11:0: vector ", trap.vector, "\n");
    write_cr3(root);
    write_cr4(read_cr4() & ~(uptr{1} << 17));
}
#else
void contexts() {}
#endif
}  // namespace

void guest_main() {
    frames[0][0] = 0xc3;  // RET
    start_paging();
    permissions();
    execute_disable();
    large_pages();
    prevention();
    translations();
    contexts();
    print(name, ": ok\n");
    exit(0);
}
