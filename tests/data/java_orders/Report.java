package com.acme.orders;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Component;

/** Writes the memory in use to the log, once a minute. */
@Component
class Report implements Tasks.Task {

    private static final Logger LOG = LoggerFactory.getLogger(Report.class);

    @Override
    public void run() throws InterruptedException {
        while (true) {
            LOG.info("{} bytes of memory are free", Runtime.getRuntime().freeMemory());
            Thread.sleep(Duration.ofMinutes(1));
        }
    }
}
