package com.acme.orders;

import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.stereotype.Component;

/** Ends the open orders that are too old, once a second. */
@Component
class Expiry implements Tasks.Task {

    private static final Logger LOG = LoggerFactory.getLogger(Expiry.class);

    private final OrderStore store;
    private final OwnSettings settings;

    Expiry(OrderStore store, OwnSettings settings) {
        this.store = store;
        this.settings = settings;
    }

    @Override
    public void run() throws InterruptedException {
        while (true) {
            Thread.sleep(Duration.ofSeconds(1));
            try {
                store.expire(Instant.now().minus(settings.openTime()));
            } catch (DataAccessException e) {
                LOG.warn("orders cannot expire: {}", e.getMostSpecificCause().getClass().getSimpleName());
            }
        }
    }
}
