namespace TaskQueue.Api.Rpc;

/// <summary>Full names of the services of gRPC: see Protos/taskqueue/v1.</summary>
internal static class RpcServices
{
    public const string Tasks = "taskqueue.v1.Tasks";

    public const string Workers = "taskqueue.v1.Workers";
}
