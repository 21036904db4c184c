-- Prefect's own database, beside the store; it needs trigrams for its searches.
CREATE DATABASE prefect OWNER news ENCODING 'UTF8' TEMPLATE template0;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
