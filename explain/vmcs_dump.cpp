#include "explain/vmcs_dump.hpp"

#include <algorithm>

namespace hyperstep::explain {
namespace {

/// A line this far behind the last one of a dump is not its line, if it does not say so.
constexpr std::size_t longest_gap = 200;

bool only_stars(std::string_view text) {
    return text.size() >= 10 && std::all_of(text.begin(), text.end(), [](char c) { return c == '*'; });
}

std::optional<Part> part_header(std::string_view text) {
    if (text == "*** Guest State ***") return Part::guest;
    if (text == "*** Host State ***") return Part::host;
    if (text == "*** Control State ***") return Part::control;
    return std::nullopt;
}

}  // namespace

void VmcsDumps::open(const Record& record) {
    finish();
    draft_.emplace(Format::kvm, record);
    lines_ = VmcsLines{};
    lines_.xen = xen_ahead_;
}

bool VmcsDumps::take_header(std::string_view text, const Record& record) {
    if (text.starts_with("VMCS ") && contains(text, "last attempted VM-entry")) {
        xen_ahead_ = false;
        open(record);
        return true;
    }
    if (contains(text, "vmentry failure (reason")) {
        xen_ahead_ = true;
        open(record);
        if (read_xen_banner(text, draft_->dump.reported)) return true;
        draft_.reset();
        return false;
    }
    if (const std::optional<std::uint32_t> error = xen_entry_error(text)) {
        xen_ahead_ = true;
        open(record);
        draft_->dump.reported.message = std::string{text.substr(0, 256)};
        draft_->dump.reported.instruction_error = *error;
        draft_->dump.reported.entry_failed = true;
        return true;
    }
    if (text.starts_with("*****") && contains(text, "VMCS Area")) {
        if (draft_ && draft_->fields_shown() != 0) finish();
        if (draft_) draft_->extend(record);
        xen_ahead_ = true;
        return true;
    }
    if (xen_ahead_ && (text.starts_with("Domain ") || text.starts_with("VCPU ") || only_stars(text))) {
        if (draft_) draft_->extend(record);
        if (draft_ && draft_->fields_shown() != 0) finish();
        return true;
    }
    return false;
}

bool VmcsDumps::take_part(std::string_view text, const Record& record) {
    const std::optional<Part> part = part_header(text);
    if (!part) return false;
    const bool again =
        (*part == Part::guest && (lines_.guest_header || (draft_ && draft_->fields_shown() != 0))) ||
        (*part == Part::host && lines_.host_header);
    if (!draft_ || again) open(record);
    draft_->extend(record);
    lines_.part = *part;
    lines_.in_guest_autoload = false;
    lines_.guest_header = lines_.guest_header || *part == Part::guest;
    lines_.host_header = lines_.host_header || *part == Part::host;
    return true;
}

bool VmcsDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() < 5 || text.size() > 2048) return false;
    if (take_header(text, record) || take_part(text, record)) return true;
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();

    VmcsLines probe = lines_;
    const Claim claim = read_vmcs_record(text, probe, nullptr);
    if (claim == Claim::no || (!draft_ && claim != Claim::opens)) return false;
    if (!draft_) {
        open(record);
    } else if (text.starts_with("CR0: ") && draft_->shows(vmx::Slot::guest_cr0)) {
        // The first line of another dump whose header is missing, unless it repeats what is known.
        Draft again{Format::kvm, record};
        VmcsLines ignored;
        read_vmcs_record(text, ignored, &again);
        if (again.dump.state[vmx::Slot::guest_cr0].value != draft_->dump.state[vmx::Slot::guest_cr0].value)
            open(record);
    }
    read_vmcs_record(text, lines_, &*draft_);
    draft_->extend(record);
    return true;
}

void VmcsDumps::finish() {
    if (!draft_) return;
    Dump& dump = draft_->dump;
    const bool empty = draft_->fields_shown() == 0 && !dump.reported.entry_failed;
    if (lines_.xen) {
        dump.format = Format::xen;
        finish_xen(*draft_);
    } else {
        finish_kvm(lines_, *draft_);
    }
    report_from_fields(dump);
    if (!empty) store_.add(std::move(dump));
    draft_.reset();
    lines_ = VmcsLines{};
}

}  // namespace hyperstep::explain
