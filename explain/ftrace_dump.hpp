#pragma once
#include <optional>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// KVM's trace events. A trace is one dump, which knows its last kvm_exit or kvm_entry; each
/// kvm_nested_vmenter_failed ends one.
class FtraceDumps : public Collector {
public:
    explicit FtraceDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    void begin(const Record& record);
    void take_exit(std::string_view text);
    void forget_exit();

    DumpStore& store_;
    std::optional<Draft> draft_;
};

}  // namespace hyperstep::explain
