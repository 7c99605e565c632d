package com.acme.orders;

import java.util.Map;

/** The settings of the service's own code: a bean. Add each variable to README.md, too. */
record OwnSettings(int maxLines) {

    /** Values of the required variables, for the tests and for the training run of the image. */
    static final Map<String, String> EXAMPLES = Map.of();

    static OwnSettings read(Map<String, String> environment) {
        return new OwnSettings(Settings.read(environment, "MAX_LINES", "100", Integer::valueOf));
    }
}
