create table items (
    id uuid primary key,
    name varchar(200) not null,
    created_at timestamptz not null
);
create index items_by_age on items (created_at, id);
