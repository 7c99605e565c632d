package com.acme.orders;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Orders, tested over HTTP. Products is unreachable. */
class OrdersTest {

    private static final String LINE = "{\"product\": \"" + UUID.randomUUID() + "\", \"quantity\": 1}";

    private static int create(String body) throws Exception {
        return Running.shared().send("POST", Service.PATH, body).statusCode();
    }

    @Test
    void anOrderWithoutLinesIsCreated() throws Exception {
        assertThat(create("{\"lines\": []}")).isEqualTo(201);
    }

    @Test
    void aProductThatCannotBeReadIsABadGateway() throws Exception {
        assertThat(create("{\"lines\": [" + LINE + "]}")).isEqualTo(502);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"lines\": [{}]}", "{\"lines\": [null]}"})
    void aRequiredMemberIsNotMissing(String body) throws Exception {
        assertThat(create(body)).isEqualTo(422);
    }

    @Test
    void thereAreAtMost100Lines() throws Exception {
        assertThat(create("{\"lines\": [" + (LINE + ", ").repeat(100) + LINE + "]}"))
                .isEqualTo(422);
    }
}
