/* SPDX-License-Identifier: Apache-2.0 */
/* The lanes themselves: data comes and goes as they should, in each mode, before anything is measured with them. */
#include "tests/model/nvme_lanes.h"
#include <cmocka.h>
#include <string.h>

#include "tests/unit/test.h"
