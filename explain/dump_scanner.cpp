#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "explain/dump.hpp"
#include "explain/field_list.hpp"
#include "explain/ftrace_dump.hpp"
#include "explain/guest_view.hpp"
#include "explain/haxm_dump.hpp"
#include "explain/line_decoder.hpp"
#include "explain/noirvisor_dump.hpp"
#include "explain/qemu_dump.hpp"
#include "explain/record_joiner.hpp"
#include "explain/sregs_dump.hpp"
#include "explain/state_dump.hpp"
#include "explain/svm_dump.hpp"
#include "explain/virtualbox_dump.hpp"
#include "explain/vmcs12.hpp"
#include "explain/vmcs_dump.hpp"
#include "explain/words.hpp"

namespace hyperstep::explain {
namespace {

/// What a line holds that is one string of a list, as Ansible shows a program's output: `"...",`.
std::string_view only_string(std::string_view line) {
    line = trim(line);
    if (line.ends_with(',')) line.remove_suffix(1);
    if (line.size() < 3 || line.front() != '"' || line.find('"', 1) != line.size() - 1) return {};
    return line.substr(1, line.size() - 2);
}

bool is_guest_view(const Dump& d) {
    return d.format == Format::qemu || d.format == Format::sregs;
}

bool shows_vmcs(const Dump& d) {
    return d.format == Format::kvm || d.format == Format::xen || d.format == Format::haxm ||
           d.format == Format::virtualbox || d.format == Format::noirvisor;
}

bool overlap(const Dump& a, const Dump& b) {
    return a.line_first <= b.line_last && b.line_first <= a.line_last;
}

/// Fields named in the words around a dump, or in the midst of it, are not a list. `dumps` are in the order
/// of their lines.
void drop_stray_lists(std::vector<Dump>& dumps) {
    std::size_t covered = 0;  // the last line of the other dumps so far
    std::size_t kept = 0;
    const bool alone = dumps.size() == 1;
    for (std::size_t i = 0; i < dumps.size(); ++i) {
        const bool list = dumps[i].format == Format::fields;
        if (list) {
            const bool inside =
                dumps[i].line_first <= covered || (i + 1 < dumps.size() && overlap(dumps[i], dumps[i + 1]));
            const auto fields = vmx::slots_of(vmx::SlotKind::field);
            const auto known = std::count_if(
                fields.begin(), fields.end(), [&](vmx::Slot s) { return dumps[i].state.knows(s); });
            if (inside || (known < 2 && !alone)) continue;
        } else {
            covered = std::max(covered, dumps[i].line_last);
        }
        if (kept != i) dumps[kept] = std::move(dumps[i]);
        ++kept;
    }
    dumps.resize(kept);
}

/// Which VMCS dump each guest's view stands next to: the last one before it if that has none of its kind yet,
/// else the next one.
std::vector<Dump> with_views_attached(std::vector<Dump> dumps) {
    std::vector<Dump> kept;
    std::optional<std::size_t> owner;  // in kept
    bool owner_has_qemu = false;
    bool owner_has_sregs = false;
    std::vector<Dump> ahead;               // views that wait for the next VMCS dump
    const auto attach = [&](Dump& view) {  // true: the view is moved away
        bool& taken = view.format == Format::qemu ? owner_has_qemu : owner_has_sregs;
        if (taken) return false;
        taken = true;
        attach_view(kept[*owner], std::move(view));
        return true;
    };
    for (Dump& dump : dumps) {
        if (is_guest_view(dump)) {
            if (!owner || !attach(dump)) ahead.push_back(std::move(dump));
            continue;
        }
        const bool vmcs = shows_vmcs(dump);
        kept.push_back(std::move(dump));
        if (!vmcs) continue;
        owner = kept.size() - 1;
        owner_has_qemu = owner_has_sregs = false;
        // Only the nearest one of each kind stands next to the dump.
        for (auto view = ahead.rbegin(); view != ahead.rend(); ++view)
            if (!attach(*view)) kept.push_back(std::move(*view));
        ahead.clear();
    }
    for (Dump& view : ahead) kept.push_back(std::move(view));
    std::stable_sort(
        kept.begin(), kept.end(), [](const Dump& a, const Dump& b) { return a.line_first < b.line_first; });
    return kept;
}

}  // namespace

std::string_view to_string(Format f) {
    switch (f) {
        case Format::kvm: return "kvm";
        case Format::xen: return "xen";
        case Format::qemu: return "qemu";
        case Format::haxm: return "haxm";
        case Format::virtualbox: return "virtualbox";
        case Format::noirvisor: return "noirvisor";
        case Format::sregs: return "sregs";
        case Format::vmcs12: return "vmcs12";
        case Format::svm: return "kvm";  // who printed it; there is no VMCS in it
        case Format::ftrace: return "ftrace";
        case Format::fields: return "fields";
        case Format::hyperstep: break;
    }
    return "hyperstep";
}

struct DumpScanner::Impl {
    void take_lines();
    void take_record(const Record& record);

    std::string start;  // the first bytes, until it is sure whether they are an emulated VMCS
    bool start_judged = false;
    bool binary = false;

    LineDecoder decoder;
    PrefixStripper prefixes;
    RecordJoiner joiner;
    std::vector<TextLine> lines;

    bool not_read = false;  // text behind the last dump that is kept
    DumpStore store;
    StateObjects objects{store};
    QemuDumps qemu{store};
    VmcsDumps vmcs{store};
    HaxmDumps haxm{store};
    VirtualBoxDumps virtualbox{store};
    NoirVisorDumps noirvisor{store};
    FtraceDumps ftrace{store};
    SvmDumps svm{store};
    SregsDumps sregs{store};
    FieldLists fields{store};
    /// In the order in which they are asked; the first that takes a record has it.
    std::array<Collector*, 9> collectors{
        &qemu, &svm, &vmcs, &haxm, &virtualbox, &noirvisor, &ftrace, &sregs, &fields};
};

void DumpScanner::Impl::take_record(const Record& record) {
    if (store.full()) {
        not_read = true;
        return;
    }
    for (Collector* collector : collectors)
        if (collector->take(record)) return;
}

void DumpScanner::Impl::take_lines() {
    for (const TextLine& line : lines) {
        const std::string_view element = only_string(line.text);
        const std::string_view stripped = prefixes.strip(element.empty() ? line.text : element);
        if (objects.take(line, stripped)) continue;
        if (const auto record = joiner.next(line.number, stripped)) take_record(*record);
    }
    lines.clear();
}

DumpScanner::DumpScanner() : impl_{new Impl} {}
DumpScanner::~DumpScanner() {
    delete impl_;
}
DumpScanner::DumpScanner(DumpScanner&& other) noexcept : impl_{std::exchange(other.impl_, nullptr)} {}
DumpScanner& DumpScanner::operator=(DumpScanner&& other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
}

void DumpScanner::feed(std::string_view piece) {
    Impl& impl = *impl_;
    if (!impl.start_judged || impl.binary) {
        const std::size_t room = vmcs12_blob_bytes - impl.start.size();
        impl.start.append(piece.substr(0, room));
        impl.binary = impl.binary || begins_vmcs12(impl.start);
        constexpr std::size_t judged_bytes = 132;  // the header and a revision behind it
        impl.start_judged = impl.start_judged || impl.start.size() >= judged_bytes;
        if (impl.binary || !impl.start_judged) return;
        impl.decoder.feed(impl.start, impl.lines);
        piece.remove_prefix(std::min(room, piece.size()));
        impl.start.clear();
    }
    // In slices, so that the lines waiting stay few.
    constexpr std::size_t slice = std::size_t{64} * 1024;
    while (!piece.empty()) {
        impl.decoder.feed(piece.substr(0, slice), impl.lines);
        impl.take_lines();
        piece.remove_prefix(std::min(slice, piece.size()));
    }
    impl.take_lines();
}

std::vector<Dump> DumpScanner::finish() {
    const std::unique_ptr<Impl> impl{std::exchange(impl_, new Impl)};
    if (impl->binary) {
        std::vector<Dump> dumps;
        if (auto dump = read_vmcs12(impl->start)) dumps.push_back(std::move(*dump));
        return dumps;
    }
    if (!impl->start_judged) impl->decoder.feed(impl->start, impl->lines);
    impl->decoder.finish(impl->lines);
    impl->take_lines();
    if (const auto record = impl->joiner.finish()) impl->take_record(*record);
    for (Collector* collector : impl->collectors) collector->finish();
    std::vector<Dump>& dumps = impl->store.dumps;
    std::stable_sort(
        dumps.begin(), dumps.end(), [](const Dump& a, const Dump& b) { return a.line_first < b.line_first; });
    drop_stray_lists(dumps);
    std::vector<Dump> whole = with_views_attached(std::move(dumps));
    if (impl->not_read && !whole.empty())
        whole.back().remarks.emplace_back(
            "10,000 dumps are kept; what follows this one was not read: split the input");
    return whole;
}

std::vector<Dump> find_dumps(std::string_view text) {
    DumpScanner scanner;
    scanner.feed(text);
    return scanner.finish();
}

}  // namespace hyperstep::explain
