#pragma once
#include <optional>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// Dumps of AMD's VMCB, which dump_vmcb() of a kernel prints. They are recognised, so that the reader is told
/// what they are; nothing in them is a field of a VMCS.
class SvmDumps : public Collector {
public:
    explicit SvmDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    DumpStore& store_;
    std::optional<Draft> draft_;
};

}  // namespace hyperstep::explain
