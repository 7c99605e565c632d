package com.acme.orders;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.IntStream;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;
import tools.jackson.databind.json.JsonMapper;

/** Stores orders and their lines in PostgreSQL. The migrations create the tables. */
@Repository
class OrderStore {

    private static final String SELECT = """
            select id, status, created_at, (
                select json_agg(json_build_object(
                    'product_id', product_id, 'quantity', quantity, 'price_cents', price_cents) order by position)
                from order_lines where order_id = orders.id) as lines
            from orders
            """;

    private final JdbcClient database;
    private final JdbcTemplate batches;
    private final JsonMapper json;

    OrderStore(JdbcClient database, JdbcTemplate batches, JsonMapper json) {
        this.database = database;
        this.batches = batches;
        this.json = json;
    }

    @Transactional
    void add(Orders.Order order) {
        database.sql("insert into orders (id, status, created_at) values (?, ?, ?)")
                .params(order.id(), order.status().name(), order.createdAt().atOffset(ZoneOffset.UTC))
                .update();
        batches.batchUpdate(
                "insert into order_lines (order_id, position, product_id, quantity, price_cents)"
                        + " values (?, ?, ?, ?, ?)",
                IntStream.range(0, order.lines().size())
                        .mapToObj(i -> row(order.id(), i, order.lines().get(i)))
                        .toList());
    }

    private static Object[] row(UUID order, int position, Orders.Line line) {
        return new Object[] {order, position, line.productId(), line.quantity(), line.priceCents()};
    }

    Optional<Orders.Order> get(UUID id) {
        return database.sql(SELECT + "where id = ?")
                .param(id)
                .query(this::order)
                .optional();
    }

    /** Returns the newest orders: those of one status, or all if it is null. */
    List<Orders.Order> newest(Orders.Status status) {
        return database.sql(SELECT + "where status = coalesce(?, status) order by created_at desc, id limit 100")
                .param(status == null ? null : status.name())
                .query(this::order)
                .list();
    }

    /** Gives an open order another status. Returns false if no open order has the ID. */
    boolean leaveOpen(UUID id, Orders.Status status) {
        return database.sql("update orders set status = ? where id = ? and status = 'open'")
                        .params(status.name(), id)
                        .update()
                == 1;
    }

    /** Ends the open orders that were created before a time. */
    void expire(Instant before) {
        database.sql("update orders set status = 'expired' where status = 'open' and created_at < ?")
                .param(before.atOffset(ZoneOffset.UTC))
                .update();
    }

    private Orders.Order order(ResultSet row, int number) throws SQLException {
        return new Orders.Order(
                row.getObject("id", UUID.class),
                Orders.Status.valueOf(row.getString("status")),
                List.of(json.readValue(row.getString("lines"), Orders.Line[].class)),
                row.getObject("created_at", OffsetDateTime.class).toInstant());
    }
}
