#include "mmu/x86_tlb.hpp"

namespace hyperstep::mmu {

TlbEntry& remember(
    Tlb& tlb, Gva linear, AccessClass who, const X86Paging& paging, const X86Translation& translation) {
    const std::uint64_t tag = who.context == 0 ? 0 : Tlb::tag(linear, who.context);
    const auto is_served = [&](Access access) {
        return (translation.second_stage_accesses & static_cast<std::uint8_t>(access)) != 0 &&
               permits(paging, translation, access, who.privilege);
    };
    const Hpa frame = translation.physical.page_start();
    const bool is_writable = translation.dirty && is_served(Access::write);
    TlbEntry& entry = tlb.at(linear);
    entry = {.read_tag = is_served(Access::read) ? tag : 0,
             .write_tag = is_writable && tlb.memory().is_announced(frame) ? tag : 0,
             .fetch_tag = is_served(Access::fetch) ? tag : 0,
             .host = tlb.memory().page(frame).host,
             .frame = frame,
             .leaf_table = translation.leaf_table,
             .user_page = translation.user_page,
             .writable = is_writable};
    return entry;
}

}  // namespace hyperstep::mmu
