{# The current versions of the history are the loaded table, row for row. #}
with current_versions as (
  select user_key, username, email, status, enabled, created_at, updated_at, attributes
  from {{ ref('users_history') }}
  where is_current and not is_deleted
),

users as (
  select user_key, username, email, status, enabled, created_at, updated_at, attributes
  from {{ ref('stg_users') }}
)

(select * from current_versions except all select * from users)
union all
(select * from users except all select * from current_versions)
