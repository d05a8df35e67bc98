/* order_conformance.h - what every store promises of orders to devices
 * (store/orders.h), tested.  As roster_conformance.h. */
#ifndef EDS_TESTS_STORE_ORDER_CONFORMANCE_H
#define EDS_TESTS_STORE_ORDER_CONFORMANCE_H

#include "store/ledger.h"

int order_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void));

#endif
