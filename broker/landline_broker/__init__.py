"""The broker: who is who, and where each can be reached. It never sees a message.

``landline_broker.server.Broker`` is the way to run one inside another program.
"""
