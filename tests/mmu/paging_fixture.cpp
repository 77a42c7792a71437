#include "tests/mmu/paging_fixture.hpp"

#include <sstream>

namespace hyperstep::mmu {

namespace {

using Result = tl::expected<X86Translation, X86Fault>;

std::string differs(const char* what, std::uint64_t ours, std::uint64_t theirs) {
    std::ostringstream text;
    text << what << ": " << std::hex << ours << ", the oracle says " << theirs;
    return text.str();
}

std::string compare(const Result& ours, const oracle::Answer& theirs, bool dirty) {
    if (!ours) {
        const auto* const fault = std::get_if<PageFault>(&ours.error());
        if (fault == nullptr) return "a fault of a second stage that is not there";
        if (!theirs.error_code) return differs("faults with", fault->error_code, 0);
        if (fault->error_code != *theirs.error_code)
            return differs("error code", fault->error_code, *theirs.error_code);
        return {};
    }
    if (theirs.error_code) return differs("does not fault", 0, *theirs.error_code);
    const auto row = [](const char* what, auto a, auto b) {
        return a == b ? std::string{}
                      : differs(what, static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b));
    };
    for (const std::string& text :
         {row("address", ours->address.raw(), theirs.address),
          row("physical", ours->physical.raw(), theirs.address),
          row("page size", ours->page_size, theirs.page_size),
          row("user page", ours->user_page, theirs.user_mode_address),
          row("writable page", ours->writable_page, theirs.every_entry_writable),
          row("executable", ours->executable, theirs.no_entry_execute_disabled),
          row("shadow-stack page", ours->shadow_stack_page, theirs.shadow_stack_address),
          row("global", ours->global, theirs.global),
          row("dirty", ours->dirty, dirty),
          row("leaf table", ours->leaf_table.raw(), theirs.leaf_entry & ~0xfffULL),
          row("memory type", ours->memory_type_index, theirs.memory_type_index),
          row("protection key", ours->protection_key, theirs.protection_key)})
        if (!text.empty()) return text;
    return {};
}

}  // namespace

int error_code(const tl::expected<X86Translation, X86Fault>& result) {
    if (result) return -1;
    const auto* const fault = std::get_if<PageFault>(&result.error());
    return fault == nullptr ? -2 : static_cast<int>(fault->error_code);
}

std::string disagreement(
    const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege) {
    GuestMemory& memory = view.memory();
    const oracle::Answer answer = oracle::translate(paging, memory, linear, access, privilege);
    const unsigned bytes = paging.mode == PagingMode::bits_32 ? 4 : 8;
    const Result probed = probe(paging, view, linear, access, privilege);
    if (auto text = compare(probed, answer, answer.dirty_before); !text.empty()) return "probe: " + text;
    for (const auto& entry : answer.entries)
        if (memory.read(Hpa{entry.address}, bytes) != entry.value) return "probe wrote";

    const Result ours = translate(paging, view, linear, access, privilege);
    if (auto text = compare(ours, answer, answer.dirty_before || is_write(access)); !text.empty())
        return text;
    for (const auto& entry : answer.entries) {
        if (memory.page(Hpa{entry.address}).kind != PageKind::ram) continue;
        std::uint64_t expected = entry.value;
        for (const auto& other : answer.entries)  // one entry may serve at several levels
            if (other.address == entry.address) expected |= other.flags;
        if (memory.read(Hpa{entry.address}, bytes) != expected)
            return differs("entry", memory.read(Hpa{entry.address}, bytes), expected);
    }
    return {};
}

}  // namespace hyperstep::mmu
