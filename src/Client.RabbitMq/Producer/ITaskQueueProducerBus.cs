using MassTransit;

namespace TaskQueue.Client;

/// <summary>The bus of <see cref="TaskQueueBusProducer"/>, separate from any other bus of the program.</summary>
public interface ITaskQueueProducerBus : IBus;
