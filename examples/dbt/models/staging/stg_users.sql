with users as (
{{ loaded('users', {
  'user_pool_id': 'text', 'username': 'text', 'email': 'text', 'status': 'text', 'enabled': 'boolean',
  'created_at': 'timestamp', 'updated_at': 'timestamp', 'attributes': 'jsonb'
}) }}
)

select
  user_key,
  user_pool_id,
  username,
  email,
  status,
  enabled,
  created_at,
  updated_at,
  -- With `attributes_format: list` an array of one-key objects.
  case jsonb_typeof(attributes)
    when 'array' then (
      select coalesce(jsonb_object_agg(pair.key, pair.value), '{}')
      from
        jsonb_array_elements(attributes) as item,
        jsonb_each(item) as pair
    )
    when 'object' then attributes
  end as attributes
from users
