package com.acme.orders;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import java.net.URI;
import java.util.List;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** Orders of products. */
@RestController
@RequestMapping(Service.PATH)
class Orders {

    private final Callee products;
    private final OwnSettings settings;

    /** A product and how often it is ordered. */
    record Line(@NotNull UUID product, @NotNull @Min(1) Integer quantity) {}

    /** What a client sends to create an order. */
    record NewOrder(@NotNull List<@Valid @NotNull Line> lines) {}

    /** An order. */
    record Order(UUID id, List<Line> lines) {}

    Orders(Calls calls, OwnSettings settings) {
        this.products = calls.to("products");
        this.settings = settings;
    }

    @PostMapping
    @Requests.MaxBody(5 * 1024 * 1024)
    ResponseEntity<Order> createOrder(@RequestBody @Valid NewOrder body, HttpServletRequest request) {
        if (body.lines().size() > settings.maxLines()) {
            throw new InvalidRequest(List.of(new Problem.Fault("too many lines", "#/lines", null)));
        }
        body.lines().forEach(line -> check(line, Caller.of(request)));
        Order order = new Order(UUID.randomUUID(), body.lines());
        return ResponseEntity.created(URI.create(Service.PATH + "/" + order.id()))
                .body(order);
    }

    private void check(Line line, Caller caller) {
        try {
            products.request("GET", "/v1/products/{id}", line.product())
                    .as(caller)
                    .send(ProductsApi.Item.class);
        } catch (CalleeException e) {
            if (e.isStatus(HttpStatus.NOT_FOUND)) {
                throw new InvalidRequest(List.of(new Problem.Fault("unknown product", "#/lines", null)));
            }
            throw e; // 502, or 504 after a timeout
        }
    }
}
