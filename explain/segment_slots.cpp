#include "explain/segment_slots.hpp"

#include "explain/words.hpp"

namespace hyperstep::explain {

using vmx::Slot;

const std::array<SegmentSlots, 10>& guest_segments() {
    static constexpr std::array<SegmentSlots, 10> segments{{
        {"ES", Slot::guest_es_sel, Slot::guest_es_ar, Slot::guest_es_limit, Slot::guest_es_base},
        {"CS", Slot::guest_cs_sel, Slot::guest_cs_ar, Slot::guest_cs_limit, Slot::guest_cs_base},
        {"SS", Slot::guest_ss_sel, Slot::guest_ss_ar, Slot::guest_ss_limit, Slot::guest_ss_base},
        {"DS", Slot::guest_ds_sel, Slot::guest_ds_ar, Slot::guest_ds_limit, Slot::guest_ds_base},
        {"FS", Slot::guest_fs_sel, Slot::guest_fs_ar, Slot::guest_fs_limit, Slot::guest_fs_base},
        {"GS", Slot::guest_gs_sel, Slot::guest_gs_ar, Slot::guest_gs_limit, Slot::guest_gs_base},
        {"LDTR", Slot::guest_ldtr_sel, Slot::guest_ldtr_ar, Slot::guest_ldtr_limit, Slot::guest_ldtr_base},
        {"TR", Slot::guest_tr_sel, Slot::guest_tr_ar, Slot::guest_tr_limit, Slot::guest_tr_base},
        {"GDTR", std::nullopt, std::nullopt, Slot::guest_gdtr_limit, Slot::guest_gdtr_base},
        {"IDTR", std::nullopt, std::nullopt, Slot::guest_idtr_limit, Slot::guest_idtr_base},
    }};
    return segments;
}

const SegmentSlots* guest_segment(std::string_view name, NameStyle style) {
    if (name.size() < 2 || name.size() > 4) return nullptr;
    // ES, TR, LDTR, ldt: nearly every other word ends here.
    const char second = lower_case(name[1]);
    if (name.size() == 2 ? second != 's' && second != 'r' : second != 'd') return nullptr;
    for (const SegmentSlots& segment : guest_segments()) {
        if (segment.name == name) return &segment;
        if (style == NameStyle::vmcs) continue;
        const bool may_be_short = segment.name.size() == 4;  // LDT
        if (same_letters(name, segment.name) ||
            (may_be_short && same_letters(name, segment.name.substr(0, 3))))
            return &segment;
    }
    return nullptr;
}

}  // namespace hyperstep::explain
