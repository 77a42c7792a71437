#include "mmu/physical_view.hpp"

namespace hyperstep::mmu {

tl::expected<SecondStagePage, SecondStageFault> PhysicalView::translate(
    const SecondStageRequest& request) const {
    if (second_stage_ == nullptr) return SecondStagePage{Hpa{request.address.raw() & mask_}};
    auto page = second_stage_->translate(request);
    if (page) page->address = Hpa{page->address.raw() & mask_};
    return page;
}

tl::expected<PhysicalView::Entry, SecondStageFault> PhysicalView::read_entry(Gpa slot,
                                                                             unsigned bytes,
                                                                             Effect effect) const {
    const auto place = translate({slot, Access::read, SecondStageRequest::Purpose::paging_structure, effect});
    if (!place) return tl::unexpected{place.error()};
    return Entry{memory_.read(place->address, bytes), place->address};
}

tl::expected<bool, SecondStageFault> PhysicalView::update_entry(Gpa slot,
                                                                unsigned bytes,
                                                                std::uint64_t expected,
                                                                std::uint64_t desired) const {
    const auto place =
        translate({slot, Access::write, SecondStageRequest::Purpose::paging_structure, Effect::update});
    if (!place) return tl::unexpected{place.error()};
    return memory_.mark_entry(place->address, bytes, expected, desired);
}

void PhysicalView::watch(Hpa entry, Watch what) const {
    if (tables_ == Tables::watched) memory_.watch(entry, what);
}

}  // namespace hyperstep::mmu
