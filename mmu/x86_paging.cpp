#include "mmu/x86_paging.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

#include "mmu/x86_formats.hpp"

namespace hyperstep::mmu {

namespace {

using Result = tl::expected<X86Translation, X86Fault>;

bool is_long_mode(const X86Paging& paging) {
    return paging.mode == PagingMode::level_4 || paging.mode == PagingMode::level_5;
}

/// SDM "Protection Keys".
bool key_denies(const X86Paging& paging, const X86Translation& page, Access access, Privilege privilege) {
    if (!is_long_mode(paging) || access == Access::fetch) return false;
    if (!(page.user_page ? paging.pke : paging.pks)) return false;
    const std::uint32_t rights = (page.user_page ? paging.pkru : paging.pkrs) >> (2 * page.protection_key);
    const bool access_disable = (rights & 1) != 0;
    const bool write_disable = (rights & 2) != 0 && (privilege == Privilege::user || paging.wp);
    return access_disable || (write_disable && is_write(access));
}

/// SDM "Determination of Access Rights", without the protection key.
bool tables_permit(const X86Paging& paging, const X86Translation& page, Access access, Privilege privilege) {
    const bool by_user = privilege == Privilege::user;
    if (by_user && !page.user_page) return false;
    const bool to_user_page_by_supervisor = !by_user && page.user_page;
    if (is_shadow_stack(access)) return page.shadow_stack_page && !to_user_page_by_supervisor;
    if (access == Access::fetch) return page.executable && !(to_user_page_by_supervisor && paging.smep);
    if (to_user_page_by_supervisor && paging.smap && privilege != Privilege::supervisor_ac) return false;
    return access == Access::read || page.writable_page || (!by_user && !paging.wp);
}

/// SDM "Page-Fault Exceptions": the bits that describe the access.
std::uint32_t error_code(const X86Paging& paging, Access access, Privilege privilege) {
    const bool pae = paging.mode != PagingMode::bits_32;
    const bool tells_fetch = paging.smep || (pae && paging.nxe);
    return (is_write(access) ? page_fault::write : 0) |
           (privilege == Privilege::user ? page_fault::user : 0) |
           (access == Access::fetch && tells_fetch ? page_fault::fetch : 0) |
           (is_shadow_stack(access) ? page_fault::shadow_stack : 0);
}

struct Question {
    Gva linear{};
    Access access = Access::read;
    Privilege privilege = Privilege::supervisor;
    Effect effect = Effect::none;
};

/// One translation in one format.
template <TableFormat Format>
class Translator {
public:
    Translator(const Format& format, const X86Paging& paging, PhysicalView& view, const Question& question)
        : format_{format}, paging_{paging}, view_{view}, question_{question} {}

    Result run() {
        // A locked update fails if the entry was changed since it was read: by an update of this same walk,
        // if tables reference themselves. Each time that happens one more flag is set, so the walk soon
        // passes. Model: if it never does (entries in a device's registers), the flags stay as they are.
        constexpr int most_walks = 2 * static_cast<int>(Path::most_steps) + 1;
        for (int walks = 1;; ++walks) {
            const auto path = walk(format_, question_.linear.raw(), [&](std::uint64_t slot, unsigned level) {
                return read(slot, level);
            });
            if (!path) return tl::unexpected{X86Fault{path.error()}};
            if (const auto fault = judge(*path)) return tl::unexpected{X86Fault{*fault}};
            if (question_.effect == Effect::none) return finish(*path);
            const auto marked =
                mark(format_, *path, question_.access, [&](const Step& step, std::uint64_t desired) {
                    return view_.update_entry(Gpa{step.slot}, Format::entry_bytes, step.entry, desired);
                });
            if (!marked) return tl::unexpected{X86Fault{marked.error()}};
            if (!*marked && walks < most_walks) continue;
            for (const Step& step : path->steps())
                view_.watch(places_[step.level],
                            step.level == path->end().level ? Watch::leaf_tables : Watch::upper_tables);
            return finish(*path);
        }
    }

private:
    tl::expected<std::uint64_t, SecondStageFault> read(std::uint64_t slot, unsigned level) {
        const auto entry = view_.read_entry(Gpa{slot}, Format::entry_bytes, question_.effect);
        if (!entry) return tl::unexpected{entry.error()};
        places_[level] = entry->place;
        return entry->value;
    }

    std::optional<PageFault> judge(const Path& path) {
        const std::uint32_t code = error_code(paging_, question_.access, question_.privilege);
        if (path.ended == EntryKind::absent) return PageFault{code};
        if (path.ended == EntryKind::malformed)
            return PageFault{code | page_fault::present | page_fault::reserved_bit};
        describe(path);
        const bool by_key = key_denies(paging_, page_, question_.access, question_.privilege);
        if (!by_key && tables_permit(paging_, page_, question_.access, question_.privilege))
            return std::nullopt;
        return PageFault{code | page_fault::present | (by_key ? page_fault::protection_key : 0)};
    }

    void describe(const Path& path) {
        using x86::Entry;
        const Entry leaf = Entry::of(path.end().entry);
        const unsigned level = path.end().level;
        const bool pat = level == 0 ? leaf[Entry::pat_of_4k] : leaf[Entry::pat_of_large];
        page_.address = Gpa{translated(format_, path, question_.linear.raw())};
        page_.page_size = 1ULL << format_.page_shift(level);
        page_.user_page = path.rights.has(x86::right_user);
        page_.writable_page = path.rights.has(x86::right_write);
        page_.executable = path.rights.has(x86::right_fetch);
        page_.shadow_stack_page = path.rights.has(x86::right_shadow_stack);
        page_.global = leaf[Entry::global];
        page_.dirty = leaf[Entry::dirty];
        page_.memory_type_index =
            static_cast<std::uint8_t>((pat ? 4U : 0U) | (leaf[Entry::cache_disable] ? 2U : 0U) |
                                      (leaf[Entry::write_through] ? 1U : 0U));
        page_.protection_key =
            is_long_mode(paging_) ? static_cast<std::uint8_t>(leaf[Entry::protection_key]) : std::uint8_t{0};
    }

    Result finish(const Path& path) {
        const auto physical = view_.translate({.address = page_.address,
                                               .access = question_.access,
                                               .purpose = SecondStageRequest::Purpose::final_page,
                                               .effect = question_.effect,
                                               .user_page = page_.user_page,
                                               .writable_page = page_.writable_page,
                                               .executable = page_.executable});
        if (!physical) return tl::unexpected{X86Fault{physical.error()}};
        page_.physical = physical->address;
        page_.second_stage_accesses = physical->accesses;
        page_.leaf_table = places_[path.end().level].page_start();
        page_.dirty = page_.dirty || (question_.effect == Effect::update && is_write(question_.access));
        return page_;
    }

    const Format& format_;
    const X86Paging& paging_;
    PhysicalView& view_;
    Question question_;
    std::array<Hpa, Path::most_steps> places_{};  ///< of the entries, by level
    X86Translation page_{};
};

Result without_paging(PhysicalView& view, const Question& question) {
    X86Translation page;
    page.address = Gpa{question.linear.raw()};
    page.page_size = bytes_in(PageSize::size_4k);
    page.user_page = page.writable_page = page.executable = page.dirty = true;
    const auto physical =
        view.translate({.address = page.address, .access = question.access, .effect = question.effect});
    if (!physical) return tl::unexpected{X86Fault{physical.error()}};
    page.physical = physical->address;
    page.second_stage_accesses = physical->accesses;
    return page;
}

Result answer(const X86Paging& paging, PhysicalView& view, const Question& question) {
    assert(paging.physical_width >= 32 && paging.physical_width <= 52);
    assert(paging.shadow_stack || !is_shadow_stack(question.access));
    const auto in = [&](const TableFormat auto& format) {
        return Translator{format, paging, view, question}.run();
    };
    switch (paging.mode) {
        case PagingMode::none: break;
        case PagingMode::bits_32: {
            const unsigned width = paging.pse36 ? std::min<unsigned>(paging.physical_width, 40) : 32;
            return in(x86::Format32{paging.cr3, paging.pse, width});
        }
        case PagingMode::pae: {
            const std::uint64_t pdpte = paging.pdpte[(question.linear.raw() >> 30) & 3];
            if (!x86::Entry::of(pdpte)[x86::Entry::present])
                return tl::unexpected{
                    X86Fault{PageFault{error_code(paging, question.access, question.privilege)}}};
            return in(x86::Format64::pae(pdpte, paging.physical_width, paging.nxe));
        }
        case PagingMode::level_4:
            return in(
                x86::Format64::long_mode(paging.cr3, 4, paging.physical_width, paging.nxe, paging.pages_1g));
        case PagingMode::level_5:
            return in(
                x86::Format64::long_mode(paging.cr3, 5, paging.physical_width, paging.nxe, paging.pages_1g));
    }
    return without_paging(view, question);
}

}  // namespace

Result translate(
    const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege) {
    return answer(paging, view, {linear, access, privilege, Effect::update});
}

Result probe(const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege) {
    return answer(paging, view, {linear, access, privilege, Effect::none});
}

bool permits(const X86Paging& paging, const X86Translation& translation, Access access, Privilege privilege) {
    if (paging.mode == PagingMode::none) return true;
    return tables_permit(paging, translation, access, privilege) &&
           !key_denies(paging, translation, access, privilege);
}

tl::expected<std::array<std::uint64_t, 4>, PdpteFault> load_pdptes(std::uint64_t cr3,
                                                                   PhysicalView& view,
                                                                   std::uint8_t physical_width) {
    assert(physical_width >= 32 && physical_width <= 52);
    const Gpa table{Bits<31, 5>::mask & cr3};
    const std::uint64_t reserved = Bits<2, 1>::mask | Bits<8, 5>::mask | x86::bit_range(63, physical_width);
    std::array<std::uint64_t, 4> pdptes{};
    for (unsigned i = 0; i < pdptes.size(); ++i) {
        const auto entry = view.read_entry(table + 8ULL * i, 8, Effect::update);
        if (!entry) return tl::unexpected{PdpteFault{entry.error()}};
        pdptes[i] = entry->value;
    }
    for (unsigned i = 0; i < pdptes.size(); ++i)
        if (x86::Entry::of(pdptes[i])[x86::Entry::present] && (pdptes[i] & reserved) != 0)
            return tl::unexpected{PdpteFault{ReservedPdpteBits{i}}};
    return pdptes;
}

}  // namespace hyperstep::mmu
