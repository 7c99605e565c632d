package com.acme.orders;

import java.time.Duration;
import java.time.Instant;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.dao.TransientDataAccessException;
import org.springframework.stereotype.Component;

/** Ends the open orders that are too old, once a second. */
@Component
class Expiry implements Tasks.Task {

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
            } catch (DataAccessResourceFailureException | TransientDataAccessException _) {
                // The database is unreachable: /readyz and the log report it.
            }
        }
    }
}
