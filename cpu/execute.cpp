#include "cpu/execute.hpp"

#include "cpu/fetch.hpp"
#include "cpu/run_ops.hpp"

namespace hyperstep::cpu {

Outcome execute_one(Cpu& cpu) {
    const auto block = fetch_block(cpu);
    if (!block) return tl::unexpected{block.error()};
    return run_ops(cpu, **block, 1);
}

}  // namespace hyperstep::cpu
