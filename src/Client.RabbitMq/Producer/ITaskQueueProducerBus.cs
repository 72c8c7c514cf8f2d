using MassTransit;

namespace TaskQueue.Client;

/// <summary>The bus of <see cref="TaskQueueBusProducer"/>: apart from any other that the program has.</summary>
public interface ITaskQueueProducerBus : IBus;
