#include "machine/boot.hpp"

#include <algorithm>
#include <cassert>

#include "machine/elf.hpp"
#include "machine/little_endian.hpp"
#include "machine/multiboot.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint64_t page = 0x1000;
constexpr std::uint64_t boot_sector = 0x7c00;

std::uint64_t page_up(std::uint64_t address) {
    return (address + page - 1) & ~(page - 1);
}

bool overlap(const LoadPiece& piece, std::uint64_t first, std::uint64_t bytes) {
    return piece.physical < first + bytes && first < piece.physical + piece.memory_bytes;
}

/// RAM that an image may use, in order of address.
std::vector<MemoryRange> usable(const MemoryMap& memory) {
    std::vector<MemoryRange> ranges = memory.ranges();
    std::erase_if(ranges, [](const MemoryRange& range) { return range.use != MemoryUse::ram; });
    return ranges;
}

ImageExpected<void> check_pieces(const BootPlan& plan, const MemoryMap& memory) {
    const auto ranges = usable(memory);
    for (const LoadPiece& piece : plan.pieces) {
        const bool fits = std::any_of(ranges.begin(), ranges.end(), [&](const MemoryRange& range) {
            return piece.physical >= range.first.raw() && piece.memory_bytes <= range.bytes &&
                   piece.physical - range.first.raw() <= range.bytes - piece.memory_bytes;
        });
        if (!fits)
            return image_problem(piece.name,
                                 "its addresses are not all RAM",
                                 "link it to other addresses, or give more --memory");
    }
    std::vector<const LoadPiece*> sorted;
    for (const LoadPiece& piece : plan.pieces) sorted.push_back(&piece);
    std::stable_sort(sorted.begin(), sorted.end(), [](const LoadPiece* a, const LoadPiece* b) {
        return a->physical < b->physical;
    });
    for (std::size_t i = 1; i < sorted.size(); ++i)
        if (sorted[i - 1]->physical + sorted[i - 1]->memory_bytes > sorted[i]->physical)
            return image_problem(sorted[i]->name, "overlaps " + sorted[i - 1]->name, "");
    return {};
}

/// Free memory for a block of the loader's own, in whole pages below 640 KiB, as high as possible.
ImageExpected<std::uint64_t> place_low(const BootPlan& plan, std::uint64_t bytes, const std::string& what) {
    const auto no_room =
        image_problem(what, "there is no room for it below 640 KiB", "load the image higher");
    std::uint64_t end = MemoryMap::extended_data & ~(page - 1);
    for (;;) {
        if (bytes > end - page) return no_room;
        const std::uint64_t first = (end - bytes) & ~(page - 1);
        if (first < page) return no_room;
        const auto taken = std::find_if(plan.pieces.begin(), plan.pieces.end(), [&](const LoadPiece& piece) {
            return overlap(piece, first, bytes);
        });
        if (taken == plan.pieces.end()) return first;
        if (taken->physical <= page) return no_room;
        end = taken->physical & ~(page - 1);
    }
}

void add_own_block(BootPlan& plan,
                   const std::string& name,
                   std::uint64_t physical,
                   std::vector<std::uint8_t> bytes) {
    // The heap block of a vector stays where it is when the outer vector grows.
    plan.made.push_back(std::move(bytes));
    const auto content = std::as_bytes(std::span{plan.made.back()});
    plan.pieces.push_back({name, physical, content, content.size()});
}

/// The first byte behind what the image has from 1 MiB on and below 4 GiB.
std::uint64_t end_of_image(const BootPlan& plan) {
    std::uint64_t end = MemoryMap::high;
    for (const LoadPiece& piece : plan.pieces)
        if (piece.physical < MemoryMap::above) end = std::max(end, piece.physical + piece.memory_bytes);
    return page_up(end);
}

ImageExpected<std::vector<BootModule>> place_modules(BootPlan& plan,
                                                     const BootRequest& request,
                                                     const MemoryMap& memory) {
    std::vector<BootModule> modules;
    std::uint64_t next = end_of_image(plan);
    for (const ModuleFile& file : request.modules) {
        const std::string name = "module " + std::to_string(modules.size() + 1);
        if (next > memory.usable_end() || file.bytes.size() > memory.usable_end() - next)
            return image_problem(name, "there is no room for it below 3 GiB", "give more --memory");
        if (!file.bytes.empty()) plan.pieces.push_back({name, next, file.bytes, file.bytes.size()});
        modules.push_back({next, next + file.bytes.size(), file.command_line});
        next = page_up(next + file.bytes.size());
    }
    return modules;
}

ImageExpected<void> add_segments(BootPlan& plan, const ElfImage& elf, std::span<const std::byte> file) {
    for (const ElfSegment& segment : elf.segments)
        plan.pieces.push_back({"ELF segment " + std::to_string(plan.pieces.size()),
                               segment.physical,
                               file.subspan(static_cast<std::size_t>(segment.file_offset),
                                            static_cast<std::size_t>(segment.file_bytes)),
                               segment.memory_bytes});
    const auto entry = elf.physical_entry();
    if (!entry) return tl::unexpected{entry.error()};
    plan.entry = *entry;
    return {};
}

ImageExpected<void> add_multiboot_image(BootPlan& plan,
                                        const MultibootHeader& header,
                                        std::span<const std::byte> file) {
    if ((header.flags & MultibootHeader::address_fields) == 0) {
        if (!is_elf(file))
            return image_problem("multiboot header: flags",
                                 "bit 16 is clear and the file is not ELF",
                                 "an image that is not ELF needs the address fields");
        plan.format = "multiboot (ELF)";
        const auto elf = parse_elf(file);
        if (!elf) return tl::unexpected{elf.error()};
        return add_segments(plan, *elf, file);
    }
    plan.format = "multiboot (address fields)";
    const auto image = address_field_image(header, file.size());
    if (!image) return tl::unexpected{image.error()};
    plan.pieces.push_back({"the image",
                           image->physical,
                           file.subspan(static_cast<std::size_t>(image->file_offset),
                                        static_cast<std::size_t>(image->file_bytes)),
                           image->memory_bytes});
    plan.entry = image->entry;
    return {};
}

ImageExpected<void> add_information(BootPlan& plan, const BootRequest& request, const MemoryMap& memory) {
    const auto modules = place_modules(plan, request, memory);
    if (!modules) return tl::unexpected{modules.error()};
    std::string line = request.image_name;
    if (!request.command_line.empty()) line += (line.empty() ? "" : " ") + request.command_line;
    const std::string name = "the multiboot information block";
    const auto measured = multiboot_information(0, memory, line, *modules);
    const auto place = place_low(plan, measured.size(), name);
    if (!place) return tl::unexpected{place.error()};
    const auto at = static_cast<std::uint32_t>(*place);
    add_own_block(plan, name, at, multiboot_information(at, memory, line, *modules));
    plan.eax = MultibootHeader::loader_magic;
    plan.ebx = at;
    return {};
}

/// Tables that map the first 4 GiB to themselves in pages of 2 MiB: PML4, page-directory-pointer table, four
/// page directories.
std::vector<std::uint8_t> identity_tables(std::uint64_t at) {
    constexpr std::uint64_t present_writable = 3, large = 0x80, entries = 512, directories = 4;
    ByteWriter tables;
    tables.u64((at + page) | present_writable).zeros(page - 8);
    for (std::uint64_t i = 0; i < directories; ++i) tables.u64((at + (2 + i) * page) | present_writable);
    tables.zeros(page - directories * 8);
    for (std::uint64_t i = 0; i < directories * entries; ++i) tables.u64(i << 21 | present_writable | large);
    return std::move(tables.bytes());
}

ImageExpected<void> add_page_tables(BootPlan& plan) {
    constexpr std::uint64_t bytes = 6 * page;
    const std::string name = "the page tables of the first 4 GiB";
    const auto place = place_low(plan, bytes, name);
    if (!place) return tl::unexpected{place.error()};
    plan.page_tables = *place;
    add_own_block(plan, name, *place, identity_tables(*place));
    return {};
}

ImageExpected<void> add_flat_image(BootPlan& plan, const BootRequest& request, const FlatImage& flat) {
    if (request.image.empty()) return image_problem("the file", "is empty", "");
    constexpr std::uint64_t largest = 1ULL << 52;
    if (flat.address >= largest)
        return image_problem("load address", "is beyond 2^52", "give a physical address");
    plan.pieces.push_back({"the image", flat.address, request.image, request.image.size()});
    plan.entry = flat.entry.value_or(flat.address);
    plan.mode = flat.mode;
    plan.format = "flat";
    if (plan.entry - flat.address >= request.image.size())
        return image_problem("entry point", "is outside of the image", "give a physical address within it");
    const std::uint64_t reachable = flat.mode == EntryMode::real ? 1ULL << 20 : 1ULL << 32;
    if (plan.entry >= reachable)
        return image_problem("entry point", "is beyond what its mode addresses at first", "");
    return {};
}

bool is_boot_sector(std::span<const std::byte> file) {
    return file.size() == 512 && number_at<std::uint16_t>(file, 510) == 0xaa55;
}

ImageExpected<void> add_image(BootPlan& plan, const BootRequest& request, const MemoryMap& memory) {
    if (request.image.empty()) return image_problem("the file", "is empty", "");
    if (request.flat) return add_flat_image(plan, request, *request.flat);
    const auto header = find_multiboot_header(request.image);
    if (!header) return tl::unexpected{header.error()};
    if (header->has_value()) {
        const auto added = add_multiboot_image(plan, **header, request.image);
        return added ? add_information(plan, request, memory) : added;
    }
    if (!request.modules.empty())
        return image_problem("modules", "the image has no multiboot header", "only multiboot has modules");
    if (is_elf(request.image)) {
        const auto elf = parse_elf(request.image);
        if (!elf) return tl::unexpected{elf.error()};
        plan.mode = elf->elf_class == ElfClass::elf64 ? EntryMode::long_64 : EntryMode::protected_32;
        plan.format = plan.mode == EntryMode::long_64 ? "ELF64" : "ELF32";
        return add_segments(plan, *elf, request.image);
    }
    if (is_boot_sector(request.image))
        return add_flat_image(plan, request, {.address = boot_sector, .entry = {}});
    return image_problem("the file",
                         "is neither ELF nor a multiboot image nor a boot sector",
                         "if it is code without a header, say where it belongs with --flat ADDRESS");
}

cpu::Segment flat_segment(std::uint16_t selector, std::uint64_t rights) {
    return {.selector = selector, .base = 0, .limit = 0xffff'ffff, .rights = {{rights}}};
}

}  // namespace

ImageExpected<BootPlan> plan_boot(const BootRequest& request, const MemoryMap& memory) {
    if (request.modules.size() > BootPlan::most_modules)
        return image_problem("modules", "there are more than 1024", "");
    std::size_t line = request.command_line.size();
    for (const ModuleFile& module : request.modules) line += module.command_line.size();
    if (line > BootPlan::longest_command_line)
        return image_problem("command line", "all of them together are longer than 64 KiB", "");
    BootPlan plan;
    if (const auto added = add_image(plan, request, memory); !added) return tl::unexpected{added.error()};
    if (plan.mode == EntryMode::long_64)
        if (const auto added = add_page_tables(plan); !added) return tl::unexpected{added.error()};
    if (const auto good = check_pieces(plan, memory); !good) return tl::unexpected{good.error()};
    return plan;
}

void load(const BootPlan& plan, mmu::GuestMemory& memory) {
    for (const LoadPiece& piece : plan.pieces) {
        [[maybe_unused]] const bool copied = memory.write_bytes(Hpa{piece.physical}, piece.bytes);
        assert(copied);
    }
}

void enter(const BootPlan& plan, cpu::State& state) {
    constexpr std::uint64_t code_32 = 0xc09b, code_64 = 0xa09b, data = 0xc093;
    constexpr std::uint64_t protection = 0x1, extension_type = 0x10, paging = 0x8000'0000,
                            physical_extension = 0x20;
    constexpr std::uint64_t long_mode = 0x500;  // LME, LMA
    state.rip = plan.entry;
    state.cr0 = extension_type;
    if (plan.mode == EntryMode::real) {
        constexpr std::uint64_t first_disk = 0x80;
        // A segment of the entry's own where it does not fit into the first.
        const std::uint64_t base = plan.entry < 0x10000 ? 0 : plan.entry & ~0xfULL;
        state.rip = plan.entry - base;
        state.segment[cpu::cs].selector = static_cast<std::uint16_t>(base >> 4);
        state.segment[cpu::cs].base = base;
        state.gpr[cpu::rsp] = boot_sector;
        state.gpr[cpu::rdx] = first_disk;
        return;
    }
    for (cpu::Segment& segment : state.segment) segment = flat_segment(0x10, data);
    state.cr0 |= protection;
    state.gpr[cpu::rdx] = 0;
    state.gpr[cpu::rax] = plan.eax;
    state.gpr[cpu::rbx] = plan.ebx;
    if (plan.mode == EntryMode::protected_32) {
        state.segment[cpu::cs] = flat_segment(0x08, code_32);
        return;
    }
    state.segment[cpu::cs] = flat_segment(0x18, code_64);
    state.cr0 |= paging;
    state.cr3 = plan.page_tables;
    state.cr4 = physical_extension;
    state.msr.efer = long_mode;
    state.gpr[cpu::rsp] = plan.page_tables;
}

}  // namespace hyperstep::machine
