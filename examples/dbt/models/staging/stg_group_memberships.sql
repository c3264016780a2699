{{ loaded('group_memberships', {'group_name': 'text'}) }}
