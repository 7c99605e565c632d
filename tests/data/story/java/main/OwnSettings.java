package com.acme.orders;

import java.time.Duration;
import java.util.Map;

/** The settings of the service's own code: a bean. Add each variable to README.md, too. */
record OwnSettings(int maxLines, Duration openTime) {

    /** Values of the required variables, for the tests and for the training run of the image. */
    static final Map<String, String> EXAMPLES = Map.of();

    /** Reads the settings. An invalid one ends the process with one log line that names it. */
    static OwnSettings read(Map<String, String> environment) {
        return new OwnSettings(
                Settings.read(environment, "MAX_LINES", "20", OwnSettings::positive),
                Duration.ofSeconds(Settings.read(environment, "OPEN_SECONDS", "86400", OwnSettings::positive)));
    }

    private static int positive(String value) {
        int number = Integer.parseInt(value);
        return Settings.require(number, number > 0);
    }
}
