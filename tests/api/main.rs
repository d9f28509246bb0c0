//! The service as its clients meet it: the real ONNX Runtime on the shipped tower, and, where a test
//! must foresee numbers or failures, on tiny made ones.

mod app;
mod hostile_pictures;
mod pictures;
mod towers;
