package com.acme.orders;

import com.fasterxml.uuid.Generators;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotEmpty;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.net.URI;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** Orders: each has lines, whose prices are those of products, and a status. */
@RestController
@RequestMapping(Service.PATH)
class Orders {

    /** The status of an order. The names are those of JSON and of the database. */
    enum Status {
        open,
        paid,
        expired
    }

    /** Some pieces of one product, at the price that the client was shown. */
    record Line(
            @NotNull UUID productId,
            @NotNull @Min(1) @Max(1000) Integer quantity,
            @NotNull @Min(0) @Max(100_000_000) Integer priceCents) {}

    /** What a client sends to create an order. */
    record NewOrder(@NotEmpty List<@Valid @NotNull Line> lines) {}

    /** What a client sends to pay an order. */
    record NewStatus(@NotNull @Pattern(regexp = "paid") String status) {}

    /** An order as it is kept. */
    record Order(UUID id, Status status, List<Line> lines, long totalCents, Instant createdAt) {

        Order(UUID id, Status status, List<Line> lines, Instant createdAt) {
            this(id, status, lines, total(lines), createdAt);
        }

        private static long total(List<Line> lines) {
            return lines.stream()
                    .mapToLong(line -> (long) line.quantity() * line.priceCents())
                    .sum();
        }
    }

    /** Orders, newest first, at most 100. */
    record OrderList(List<Order> orders) {}

    private final OrderStore store;
    private final Callee products;
    private final OwnSettings settings;

    Orders(OrderStore store, Calls calls, OwnSettings settings) {
        this.store = store;
        this.products = calls.to("products");
        this.settings = settings;
    }

    @PostMapping
    ResponseEntity<Order> createOrder(@RequestBody @Valid NewOrder body, HttpServletRequest request) {
        if (body.lines().size() > settings.maxLines()) {
            String detail = "must have at most " + settings.maxLines() + " lines";
            throw new InvalidRequest(List.of(new Problem.Fault(detail, "#/lines", null)));
        }
        checkPrices(body.lines(), Caller.of(request));
        UUID id = Generators.timeBasedEpochGenerator().generate(); // ascending, so the index stays compact
        // The precision of the database, so that POST and GET return the same value.
        Order order = new Order(id, Status.open, body.lines(), Instant.now().truncatedTo(ChronoUnit.MICROS));
        store.add(order);
        return ResponseEntity.created(URI.create(Service.PATH + "/" + id)).body(order);
    }

    private void checkPrices(List<Line> lines, Caller caller) {
        List<Problem.Fault> faults = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            try {
                int price = products.request("GET", "/v1/products/{id}", line.productId())
                        .as(caller)
                        .send(ProductsApi.Item.class)
                        .priceCents();
                if (price != line.priceCents()) {
                    faults.add(new Problem.Fault("the price is " + price, "#/lines/" + i + "/price_cents", null));
                }
            } catch (CalleeException e) {
                if (!e.isStatus(HttpStatus.NOT_FOUND)) {
                    throw e; // 502, or 504 after a timeout
                }
                faults.add(new Problem.Fault("no product has this ID", "#/lines/" + i + "/product_id", null));
            }
        }
        if (!faults.isEmpty()) {
            throw new InvalidRequest(faults);
        }
    }

    @GetMapping
    OrderList listOrders(@RequestParam(required = false) Status status) {
        return new OrderList(store.newest(status));
    }

    @GetMapping("/{id}")
    Order getOrder(@PathVariable UUID id) {
        return store.get(id)
                .orElseThrow(() -> new ResponseStatusException(HttpStatus.NOT_FOUND, "No order has this ID."));
    }

    @PutMapping("/{id}/status")
    Order setOrderStatus(@PathVariable UUID id, @RequestBody @Valid NewStatus body) {
        boolean changed = store.leaveOpen(id, Status.valueOf(body.status()));
        Order order = getOrder(id);
        if (!changed) {
            throw new ResponseStatusException(HttpStatus.CONFLICT, "The order is " + order.status() + ".");
        }
        return order;
    }
}
