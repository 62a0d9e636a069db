"""A typed mirror of ``config.yaml``, section for section; it reads, and never touches the world."""

from node.config.delivery import DestinationConfig, PeerConfig, RetryConfig, SourceConfig
from node.config.dicomweb import DicomwebConfig
from node.config.inference import InferenceConfig
from node.config.load import load_config, parse_config
from node.config.measurement import MeasurementConfig
from node.config.node_config import Config, JobsConfig, LogConfig
from node.config.reception import CompletionConfig, ReceptionConfig
from node.config.render import config_schema, render_config
from node.config.reporting import ReportingConfig
from node.config.retention import RetentionConfig
from node.config.secret import masked
from node.config.selection import SelectionConfig
from node.config.shadow import ShadowConfig
from node.config.tls import TLS_1_2_CIPHERS, PeerTlsConfig, ReceptionTlsConfig
from node.config.web import VIEWER_PLACE, WebConfig
from node.config.webhook import WebhookConfig

__all__ = [
    "TLS_1_2_CIPHERS",
    "VIEWER_PLACE",
    "CompletionConfig",
    "Config",
    "DestinationConfig",
    "DicomwebConfig",
    "InferenceConfig",
    "JobsConfig",
    "LogConfig",
    "MeasurementConfig",
    "PeerConfig",
    "PeerTlsConfig",
    "ReceptionConfig",
    "ReceptionTlsConfig",
    "ReportingConfig",
    "RetentionConfig",
    "RetryConfig",
    "SelectionConfig",
    "ShadowConfig",
    "SourceConfig",
    "WebConfig",
    "WebhookConfig",
    "config_schema",
    "load_config",
    "masked",
    "parse_config",
    "render_config",
]
