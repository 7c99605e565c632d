package com.acme.orders;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Orders, tested over HTTP, with a products service of the test. */
class OrdersTest {

    private static final String TEA = UUID.randomUUID().toString();
    private static final Duration PATIENCE = Duration.ofMinutes(1); // a busy machine is slow
    private static HttpServer products;
    private static Running service;

    @BeforeAll
    static void start() throws Exception {
        Map<String, String> environment = new HashMap<>(TestDatabase.environment());
        products = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        String tea =
                "{\"id\": \"%s\", \"name\": \"tea\", \"price_cents\": 250, \"created_at\": \"2026-01-31T12:00:00Z\"}";
        products.createContext("/", exchange -> {
            boolean found = exchange.getRequestURI().getPath().equals("/v1/products/" + TEA);
            exchange.sendResponseHeaders(found ? 200 : 404, 0);
            exchange.getResponseBody().write(tea.formatted(TEA).getBytes(StandardCharsets.UTF_8));
            exchange.close();
        });
        products.start();
        environment.put(
                "PRODUCTS_URL", "http://127.0.0.1:" + products.getAddress().getPort());
        environment.put("MAX_LINES", "2");
        environment.put("OPEN_SECONDS", "3");
        service = Running.ready(environment);
    }

    @AfterAll
    static void stop() {
        service.close();
        products.stop(0);
    }

    private static String line(String product, int quantity, int price) {
        return "{\"product_id\": \"%s\", \"quantity\": %d, \"price_cents\": %d}".formatted(product, quantity, price);
    }

    private static HttpResponse<String> create(String... lines) throws Exception {
        return service.send("POST", Service.PATH, "{\"lines\": [" + String.join(", ", lines) + "]}");
    }

    private static String location(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(201);
        return response.headers().firstValue("Location").orElseThrow();
    }

    private static int pay(String order) throws Exception {
        return service.send("PUT", order + "/status", "{\"status\": \"paid\"}").statusCode();
    }

    private static List<String> listed(String query) throws Exception {
        return service.get(Service.PATH + query)
                .get("orders")
                .valueStream()
                .map(order -> Service.PATH + "/" + order.get("id").asString())
                .toList();
    }

    @Test
    void anOrderIsKeptAndPaidOnce() throws Exception {
        HttpResponse<String> created = create(line(TEA, 2, 250), line(TEA, 1, 250));
        String order = location(created);
        JsonNode kept = service.get(order);
        assertThat(kept).isEqualTo(Running.JSON.readTree(created.body()));
        assertThat(kept.get("total_cents").asInt()).isEqualTo(750);
        assertThat(pay(order)).isEqualTo(200);
        assertThat(pay(order)).isEqualTo(409);
        assertThat(listed("")).contains(order);
        assertThat(listed("?status=paid")).contains(order);
        assertThat(listed("?status=open")).doesNotContain(order);
    }

    @Test
    void anOldOrderExpires() throws Exception {
        String order = location(create(line(TEA, 1, 250)));
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!service.get(order).get("status").asString().equals("expired") && System.nanoTime() < end) {
            Thread.sleep(100);
        }
        assertThat(listed("?status=expired")).contains(order);
        assertThat(pay(order)).isEqualTo(409);
    }

    private static void assertRefused(HttpResponse<String> response, String pointer) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(422);
        assertThat(Running.JSON
                        .readTree(response.body())
                        .at("/errors/0/pointer")
                        .asString())
                .isEqualTo(pointer);
    }

    @Test
    void aLineMustFitItsProduct() throws Exception {
        String tea = line(TEA, 1, 250);
        assertRefused(create(tea, line(UUID.randomUUID().toString(), 1, 250)), "#/lines/1/product_id");
        assertRefused(create(line(TEA, 1, 1), tea), "#/lines/0/price_cents");
        assertRefused(create(tea, tea, tea), "#/lines");
        assertRefused(create(), "#/lines");
        assertRefused(create(tea, line(TEA, 1001, 250)), "#/lines/1/quantity");
        assertRefused(create("{\"quantity\": 1, \"price_cents\": 1}"), "#/lines/0/product_id");
    }

    @Test
    void withoutProductsThereIsNoOrder() throws Exception {
        String body = "{\"lines\": [" + line(TEA, 1, 250) + "]}";
        HttpResponse<String> response = Running.shared().send("POST", Service.PATH, body);
        assertThat(response.statusCode()).isEqualTo(502);
    }

    @ParameterizedTest
    @CsvSource({
        "GET, ?status=new, 422",
        "GET, /tea, 422",
        "GET, /0b5a1f0e-35d5-4b6a-9a53-3c1bb5a3b3f1, 404",
        "PUT, /0b5a1f0e-35d5-4b6a-9a53-3c1bb5a3b3f1/status, 404",
    })
    void anInvalidRequestIsRefused(String method, String path, int status) throws Exception {
        assertThat(service.send(method, Service.PATH + path, "{\"status\": \"paid\"}")
                        .statusCode())
                .isEqualTo(status);
    }
}
