{# A version ends when the next one begins: no time has two versions, and none is missing. #}
select *
from (
  select
    user_key,
    valid_to,
    lead(valid_from) over (partition by user_key order by version) as next_from
  from {{ ref('users_history') }}
) as versions
where valid_to is distinct from next_from
