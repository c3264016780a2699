with factors as (
{{ loaded('user_mfa', {
  'preferred_mfa_setting': 'text', 'mfa_settings': 'jsonb', 'auth_factors': 'jsonb'
}) }}
)

select
  user_key,
  preferred_mfa_setting,
  case jsonb_typeof(mfa_settings)
    when 'array' then array(select jsonb_array_elements_text(mfa_settings))
    else '{}'
  end as second_factors,
  -- Null where nothing tells.
  case jsonb_typeof(auth_factors)
    when 'array' then array(select jsonb_array_elements_text(auth_factors))
  end as auth_factors
from factors
