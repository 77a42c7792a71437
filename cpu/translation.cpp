#include "cpu/translation.hpp"

namespace hyperstep::cpu {
namespace {

using mmu::Access;
using mmu::Privilege;

Privilege privilege_of(const Cpu& cpu, Accessor accessor) {
    if (accessor == Accessor::system) return Privilege::implicit_supervisor;
    if (accessor == Accessor::program && cpu.cpl == 3) return Privilege::user;
    return cpu.rflags()[Rflags::ac] ? Privilege::supervisor_ac : Privilege::supervisor;
}

std::uint64_t tag_for(const mmu::TlbEntry& entry, Access access) {
    switch (access) {
        case Access::read: return entry.read_tag;
        case Access::write: return entry.write_tag;
        default: return entry.fetch_tag;
    }
}

/// Physical memory as this processor reaches it, tables included: address bit 20 is 0 while A20M# is
/// asserted.
mmu::PhysicalView physical_view(Cpu& cpu) {
    mmu::PhysicalView view{cpu.memory, cpu.second_stage};
    if (!cpu.board.a20_enabled()) view.mask_addresses(~(1ULL << 20));
    return view;
}

tl::unexpected<Fault> fault_of(Cpu& cpu, std::uint64_t linear, const mmu::X86Fault& fault) {
    if (const auto* page_fault = std::get_if<mmu::PageFault>(&fault)) {
        cpu.fault_address = linear;
        return raise(Vector::pf, page_fault->error_code);
    }
    return intercepted();
}

/// Keeps the translation for the class of accesses for which it was made. What it allows beyond the access at
/// hand is found out when asked for: only the tag of that access is set, and the read tag with a write tag.
void keep(Cpu& cpu,
          std::uint64_t linear,
          Access access,
          mmu::ContextNumber context,
          const PageHandle& page,
          const mmu::X86Translation& translation) {
    if (!cpu.use_tlb) return;
    mmu::TlbEntry& entry = cpu.tlb.at(Gva{linear});
    const std::uint64_t tag = mmu::Tlb::tag(Gva{linear}, context);
    if (entry.read_tag != tag && entry.fetch_tag != tag && entry.write_tag != tag) entry = {};
    entry.host = page.host;
    entry.frame = page.frame;
    entry.leaf_table = translation.leaf_table;
    entry.user_page = translation.user_page;
    switch (access) {
        case Access::read: entry.read_tag = tag; break;
        case Access::write: entry.write_tag = tag; break;
        default: entry.fetch_tag = tag; break;
    }
}

enum class Tables : std::uint8_t { elsewhere, were_here };

/// Announces a write. When the page holds tables that a walk has read, perhaps the very one that found this
/// page, the translation must not be kept: nobody watches those tables any more.
Tables announce(Cpu& cpu, Hpa frame) {
    const unsigned watches = cpu.memory.watches(frame);
    cpu.memory.about_to_write(frame);
    return (watches & ~static_cast<unsigned>(mmu::Watch::code)) != 0 ? Tables::were_here : Tables::elsewhere;
}

Expected<PageHandle> walk_and_announce(
    Cpu& cpu, std::uint64_t linear, Access access, Privilege privilege, mmu::ContextNumber context) {
    mmu::PhysicalView view = physical_view(cpu);
    const auto translation = mmu::translate(cpu.paging, view, Gva{linear}, access, privilege);
    if (!translation) return fault_of(cpu, linear, translation.error());
    const Hpa frame = translation->physical.page_start();
    const mmu::GuestMemory::Page page = cpu.memory.page(frame);
    PageHandle handle{.host = page.host, .frame = frame};
    if (access == Access::write) {
        if (page.kind == mmu::PageKind::rom) return PageHandle{.host = nullptr, .frame = frame};
        if (page.kind == mmu::PageKind::ram && announce(cpu, frame) == Tables::were_here) return handle;
    }
    keep(cpu, linear, access, context, handle, *translation);
    return handle;
}

/// Accessed and dirty flags are writes too. After one, or what is announced, the instructions behind this one
/// may be others, or lie elsewhere.
Expected<PageHandle> walk(
    Cpu& cpu, std::uint64_t linear, Access access, Privilege privilege, mmu::ContextNumber context) {
    const std::uint64_t epoch = cpu.code_epoch();
    auto page = walk_and_announce(cpu, linear, access, privilege, context);
    if (epoch != cpu.code_epoch()) cpu.leave_block = true;
    return page;
}

Expected<PageHandle> through_tlb(
    Cpu& cpu, std::uint64_t linear, Access access, Privilege privilege, mmu::ContextNumber context) {
    const mmu::TlbEntry& entry = cpu.tlb.at(Gva{linear});
    if (cpu.use_tlb && tag_for(entry, access) == mmu::Tlb::tag(Gva{linear}, context))
        return PageHandle{.host = entry.host, .frame = entry.frame};
    return walk(cpu, linear, access, privilege, context);
}

}  // namespace

Expected<PageHandle> translate_page(Cpu& cpu, std::uint64_t linear, Access access, Accessor accessor) {
    const mmu::ContextNumber context = accessor == Accessor::system        ? cpu.system_context
                                       : accessor == Accessor::inner_stack ? cpu.inner_stack_context
                                                                           : cpu.data_context;
    return through_tlb(cpu, linear, access, privilege_of(cpu, accessor), context);
}

Expected<PageHandle> translate_fetch(Cpu& cpu, std::uint64_t linear) {
    const Privilege privilege = cpu.cpl == 3 ? Privilege::user : Privilege::supervisor;
    return through_tlb(cpu, linear, Access::fetch, privilege, cpu.fetch_context);
}

std::optional<Hpa> probe(Cpu& cpu, std::uint64_t linear) {
    mmu::PhysicalView view = physical_view(cpu);
    const auto translation =
        mmu::probe(cpu.paging, view, Gva{linear}, Access::read, Privilege::supervisor_ac);
    if (!translation) return std::nullopt;
    return translation->physical;
}

}  // namespace hyperstep::cpu
