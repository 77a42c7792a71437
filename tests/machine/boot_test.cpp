#include "machine/boot.hpp"

#include <gtest/gtest.h>

#include "machine/little_endian.hpp"
#include "tests/machine/image_builder.hpp"

namespace hyperstep::machine {
namespace {

const MemoryMap memory = MemoryMap::of(64ULL << 20).value();

ImageExpected<BootPlan> plan_of(const Bytes& image) {
    return plan_boot(
        {.image = image.span(), .image_name = "i", .command_line = "", .modules = {}, .flat = {}}, memory);
}

std::string problem_of(const Bytes& image) {
    const auto plan = plan_of(image);
    return plan ? "none" : plan.error().sentence();
}

TEST(BootMode, FollowsFromWhatTheImageIs) {
    struct Case {
        Bytes image;
        EntryMode mode;
        std::uint64_t entry;
        const char* format;
    };
    Bytes sector{512};
    sector.put(510, 0xaa55, 2);
    const Case cases[] = {
        {elf_image({.bits = 32}), EntryMode::protected_32, 0x10'0000, "ELF32"},
        {elf_image({.bits = 64}), EntryMode::long_64, 0x10'0000, "ELF64"},
        {elf_image({.bits = 32, .multiboot = true}), EntryMode::protected_32, 0x10'0000, "multiboot (ELF)"},
        {elf_image({.bits = 64, .multiboot = true}), EntryMode::protected_32, 0x10'0000, "multiboot (ELF)"},
        {sector, EntryMode::real, 0x7c00, "flat"},
    };
    for (const Case& each : cases) {
        const auto plan = plan_of(each.image);
        ASSERT_TRUE(plan) << each.format;
        EXPECT_EQ(plan->mode, each.mode) << each.format;
        EXPECT_EQ(plan->entry, each.entry) << each.format;
        EXPECT_EQ(plan->format, each.format);
    }
}

TEST(BootMode, AnythingElseIsRefusedWithACure) {
    Bytes garbage{100};
    EXPECT_NE(problem_of(garbage).find("--flat"), std::string::npos);
    EXPECT_NE(problem_of(Bytes{}).find("empty"), std::string::npos);
    Bytes almost{511};
    EXPECT_NE(problem_of(almost), "none");
}

TEST(BootPlanOfAnElfFile, SegmentsMustBeInRam) {
    const auto at = [](std::uint64_t address, std::uint64_t more = 0) {
        return problem_of(elf_image(
            {.bits = 64, .entry = address, .linear = address, .physical = address, .more_memory = more}));
    };
    EXPECT_EQ(at(0x10'0000), "none");
    EXPECT_EQ(at(0x1000), "none");
    EXPECT_NE(at(0x9'fc00), "none") << "the EBDA";
    EXPECT_NE(at(0xa'0000), "none");
    EXPECT_NE(at(0xf'0000), "none") << "ROM";
    EXPECT_EQ(at(0x10'0000, memory.usable_end() - 0x10'0001), "none");
    EXPECT_NE(at(0x10'0000, memory.usable_end() - 0x10'0000), "none");
    EXPECT_NE(at(0x9'f000, 0x10'0000), "none") << "across the hole";
    EXPECT_NE(at(0xffff'ffff'0000), "none");
}

TEST(BootPlanOfAnElfFile, SegmentsMayNotOverlap) {
    const ElfOffsets at{32};
    Bytes file = elf_image({.bits = 32, .more_memory = 0x1000});
    file.put(at.header_count(), 2, 2);
    for (const std::uint64_t second : {0x10'0000ULL, 0x10'1000ULL, 0x10'1001ULL}) {
        const std::size_t header = at.first_header() + 32;
        file.put(header, 1, 4);
        file.put(header + 4, 0x1000, 4);
        file.put(header + 8, second, 4);
        file.put(header + 12, second, 4);
        file.put(header + 16, 1, 4);
        file.put(header + 20, 1, 4);
        EXPECT_EQ(problem_of(file) == "none", second == 0x10'1001ULL) << second;
    }
}

TEST(BootPlanOfAMultibootImage, BlockAndModulesAvoidTheImage) {
    const Bytes image =
        elf_image({.entry = 0x9'e00c, .linear = 0x9'e000, .physical = 0x9'e000, .multiboot = true});
    Bytes module{0x1801};
    BootRequest request{.image = image.span(),
                        .image_name = "i",
                        .command_line = "x",
                        .modules = {{module.span(), "a"}, {module.span(), "b"}},
                        .flat = {}};
    const auto plan = plan_boot(request, memory);
    ASSERT_TRUE(plan) << plan.error().sentence();
    EXPECT_EQ(plan->eax, 0x2bad'b002U);
    EXPECT_LT(plan->ebx, 0x9'e000U);
    EXPECT_EQ(plan->ebx % 0x1000, 0U);
    ASSERT_EQ(plan->pieces.size(), 4U);
    EXPECT_EQ(plan->pieces[1].physical, 0x10'0000U);
    EXPECT_EQ(plan->pieces[2].physical, 0x10'2000U);
}

TEST(BootPlanOfAMultibootImage, ModulesNeedRoomAndAHeader) {
    const Bytes image = multiboot_image({0xf4}), plain = elf_image({.bits = 32});
    const Bytes large{64U << 20};
    BootRequest request{.image = image.span(),
                        .image_name = "i",
                        .command_line = "",
                        .modules = {{large.span(), ""}},
                        .flat = {}};
    EXPECT_FALSE(plan_boot(request, memory));
    const Bytes small{1};
    request.modules = {{small.span(), ""}};
    EXPECT_TRUE(plan_boot(request, memory));
    request.image = plain.span();
    EXPECT_FALSE(plan_boot(request, memory));
}

TEST(FlatImages, GoWhereTheUserSays) {
    const Bytes code{16};
    const auto plan = [&](const FlatImage& flat) {
        return plan_boot(
            {.image = code.span(), .image_name = "", .command_line = "", .modules = {}, .flat = flat},
            memory);
    };
    EXPECT_EQ(plan({})->entry, 0x7c00U);
    EXPECT_EQ(plan({.address = 0x20'0000, .entry = 0x20'0004, .mode = EntryMode::long_64})->entry,
              0x20'0004U);
    EXPECT_FALSE(plan({.address = 0x20'0000, .entry = 0x20'0010, .mode = EntryMode::long_64}))
        << "behind the image";
    EXPECT_FALSE(plan({.address = 0x20'0000, .entry = {}, .mode = EntryMode::real})) << "beyond 1 MiB";
    EXPECT_FALSE(plan({.address = ~0ULL, .entry = {}, .mode = EntryMode::long_64}));
}

TEST(EnteredState, IsWhatMultibootPromises) {
    const Bytes image = multiboot_image({0xf4});
    cpu::State state = cpu::state_after_reset(0x806ec);
    enter(*plan_of(image), state);
    EXPECT_EQ(state.gpr[cpu::rax], 0x2bad'b002U);
    EXPECT_EQ(state.cr0 & 0x8000'0001, 1U);
    EXPECT_EQ(state.rflags, 2U);
    EXPECT_EQ(state.rip, 0x10'000cU);
    for (const cpu::Segment& segment : state.segment) {
        EXPECT_EQ(segment.base, 0U);
        EXPECT_EQ(segment.limit, 0xffff'ffffU);
        EXPECT_TRUE(segment.rights[cpu::AccessRights::db]);
    }
}

TEST(EnteredState, OfElf64MapsTheFirst4GiBToThemselves) {
    const Bytes image = elf_image({.bits = 64});
    const auto plan = plan_of(image);
    const auto& tables = plan->made.front();
    const auto entry = [&](std::uint64_t address) {
        return number_at<std::uint64_t>(std::as_bytes(std::span{tables}), address - plan->page_tables)
            .value_or(0);
    };
    for (const std::uint64_t linear : {0ULL, 0x10'0000ULL, 0x4000'0000ULL, 0xffff'ffffULL}) {
        const std::uint64_t pointers = entry(plan->page_tables) & ~0xfffULL;
        const std::uint64_t directory = entry(pointers + (linear >> 30) * 8) & ~0xfffULL;
        const std::uint64_t leaf = entry(directory + (linear >> 21 & 511) * 8);
        EXPECT_EQ(leaf, (linear & ~0x1f'ffffULL) | 0x83);
    }
    cpu::State state = cpu::state_after_reset(0x806ec);
    enter(*plan, state);
    EXPECT_EQ(state.cr3, plan->page_tables);
    EXPECT_EQ(state.msr.efer, 0x500U);
    EXPECT_TRUE(state.segment[cpu::cs].rights[cpu::AccessRights::l]);
}

}  // namespace
}  // namespace hyperstep::machine
