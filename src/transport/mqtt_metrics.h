/* mqtt_metrics.h - the subscriber's part of the page of metrics. */
#ifndef EDS_TRANSPORT_MQTT_METRICS_H
#define EDS_TRANSPORT_MQTT_METRICS_H

#include "transport/metrics.h"
#include "transport/mqtt_subscriber.h"

void eds_mqtt_metrics_write(struct eds_metrics *page, const struct eds_mqtt_subscriber *subscriber);

#endif
