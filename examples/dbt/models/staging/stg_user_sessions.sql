{{ loaded('user_sessions', {
  'session_id': 'text', 'created_at': 'timestamp', 'last_active_at': 'timestamp'
}) }}
