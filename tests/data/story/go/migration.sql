-- +goose Up
drop table items; -- of the example
create table orders (
    id uuid primary key,
    status varchar(10) not null check (status in ('open', 'paid', 'expired')),
    created_at timestamp with time zone not null
);
create index orders_by_age on orders (created_at);
create table order_lines (
    order_id uuid not null references orders,
    position integer not null,
    product_id uuid not null,
    quantity integer not null,
    price_cents integer not null,
    primary key (order_id, position)
);

-- +goose Down
drop table order_lines, orders;
create table items (
    id uuid primary key,
    name varchar(200) not null,
    created_at timestamp with time zone not null
);
create index items_by_age on items (created_at, id);
