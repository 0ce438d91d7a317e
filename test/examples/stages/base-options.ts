export const options = { batchSize: 32 };
